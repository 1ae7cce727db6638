package main

import (
	"net/http/httptest"
	"testing"
)

func TestGreet(t *testing.T) {
	for name, want := range map[string]string{"": "Hello, world!\n", "Ada": "Hello, Ada!\n"} {
		if got := greet(name); got != want {
			t.Errorf("greet(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestHandle(t *testing.T) {
	recorder := httptest.NewRecorder()
	handle(recorder, httptest.NewRequest("GET", "/?name=Ada", nil))
	if got := recorder.Body.String(); got != "Hello, Ada!\n" {
		t.Errorf("body = %q", got)
	}
}

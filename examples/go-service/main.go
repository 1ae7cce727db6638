// Greeter answers every request with a greeting.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

// Set by the linker.
var commit = "unknown"

func greet(name string) string {
	if name == "" {
		name = "world"
	}
	return fmt.Sprintf("Hello, %s!\n", name)
}

func handle(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, greet(r.URL.Query().Get("name")))
}

func main() {
	version := flag.Bool("version", false, "print the commit and end")
	address := flag.String("address", "127.0.0.1:8081", "where to listen")
	flag.Parse()
	if *version {
		fmt.Println("greeter", commit)
		os.Exit(0)
	}
	http.HandleFunc("/", handle)
	log.Fatal(http.ListenAndServe(*address, nil))
}

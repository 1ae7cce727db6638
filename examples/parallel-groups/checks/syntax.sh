#!/bin/sh
# Every script parses.
for script in checks/*.sh; do sh -n "$script" || exit 1; done

// Command wget is what a health check needs of wget: it gets the last argument, and fails unless it is told 200.
package main

import (
	"net/http"
	"os"
)

func main() {
	resp, err := http.Get(os.Args[len(os.Args)-1])
	if err != nil || resp.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}

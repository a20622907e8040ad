// Package httpd serves HTTP for the commands: on TCP or a Unix socket, with timeouts that let no client hold a connection
// by doing nothing, and with an orderly end.
//
//	l, err := httpd.Listen("127.0.0.1:9402") // or unix:/run/wxtoken.sock
//	…
//	mux := http.NewServeMux()
//	httpd.Handle(mux, ready, registry) // /healthz, /readyz, /metrics
//	err = httpd.Serve(ctx, l, httpd.Guard(mux), log) // until ctx ends
//
// A call may take as long as it likes while bytes move; a client that neither reads nor sends for two minutes is cut off.
//
// Guard keeps web pages out: a page in somebody's browser can reach what listens on loopback, under a name of its own
// whose address it changes (DNS rebinding), or across sites without reading the answer. No CORS headers are ever sent.
package httpd

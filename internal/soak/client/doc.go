// Package client is the services of a soak: processes that call WeChat all the time, with the subscriber package or
// through an agent, and tell on standard output, in lines of JSON, which tokens they use and which calls failed.
package client

// Package stage is what a soak runs: three NATS servers, publishers, services, an agent with a client, and the simulated
// WeChat, each a process of its own, with a fault proxy in every link between them and NATS, and between the NATS servers.
// All of them go to WeChat through the Edge, which sees every request.
//
// Everything listens on loopback, on ports that the kernel gives to nobody by itself, and writes below one folder.
package stage

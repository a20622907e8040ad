// Package sdktest runs real WeChat SDKs on tokens that wxtoken publishes.
//
// Its tests are all there is: a NATS server, publishers that mint from a simulated WeChat over sockets, and services that
// call WeChat's API by way of the SDKs, while tokens rotate several times a second, are revoked and minted by strangers, and
// publishers and NATS are restarted. Not one call may fail. The SDKs are pinned: what they do with tokens is what package
// wechatsdk relies on.
//
//	go -C internal/sdktest test -short ./... # 100 rotations
//	go -C internal/sdktest test ./...        # 1,200 rotations
package sdktest

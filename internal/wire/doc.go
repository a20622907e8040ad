// Package wire holds all that publishers and readers must agree on: bucket and subject names, the JSON of a stored
// value, the request and reply of wx.token.refresh, events, and the token id.
//
// Everything here is public contract: users' services, permissions and scripts depend on the names and the JSON.
package wire

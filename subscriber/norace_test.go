//go:build !race

package subscriber

const serverReloads = true

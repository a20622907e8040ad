//go:build unix && !linux

package stage

import "syscall"

// attributes are those of a part: it doesn't get the soak's Ctrl-C. It outlives a soak that is killed: only Linux can tell.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

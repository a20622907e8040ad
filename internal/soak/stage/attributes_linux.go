package stage

import "syscall"

// attributes are those of a part: it doesn't get the soak's Ctrl-C, and ends with the soak, also where that was killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

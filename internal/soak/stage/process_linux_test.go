package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const soakDir = "SOAK_TEST_DIR"

// A soak that is killed leaves nothing behind.
func TestPartsEndWithTheSoak(t *testing.T) {
	if dir := os.Getenv(soakDir); dir != "" {
		beKilled(dir)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	soak := exec.Command(self, "-test.run=^TestPartsEndWithTheSoak$")
	soak.Env = append(os.Environ(), soakDir+"="+t.TempDir())
	out, err := soak.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := soak.Start(); err != nil {
		t.Fatal(err)
	}
	var part int
	if _, err := fmt.Fscanln(out, &part); err != nil {
		t.Errorf("the soak tells no process: %v", err)
	}
	_ = soak.Process.Kill()
	_ = soak.Wait()
	err = await(t.Context(), 10*time.Second, "the end of process "+strconv.Itoa(part), func(context.Context) error {
		if part > 0 && syscall.Kill(part, 0) == nil {
			return fmt.Errorf("it runs")
		}
		return nil
	})
	if err != nil {
		_ = syscall.Kill(part, syscall.SIGKILL)
		t.Error(err)
	}
}

// beKilled starts a part, tells its process and waits.
func beKilled(dir string) {
	p := &Process{Name: "part", path: "/bin/sleep", dir: dir, args: []string{"600"}}
	if err := p.Start(); err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	time.Sleep(time.Minute)
	os.Exit(1)
}

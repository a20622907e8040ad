package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// stackPatience is for containers on a small machine that does other things too.
const stackPatience = 3 * time.Minute

// services are those of docker-compose.yml.
var services = []string{"nats-1", "nats-2", "nats-3", "publisher-1", "publisher-2", "agent", "example", "simulator"}

// TestStack brings docker-compose.yml up for real and breaks it piece by piece. The service must not see a failed call.
func TestStack(t *testing.T) {
	if testing.Short() {
		t.Skip("containers take minutes: not with -short")
	}
	if os.Getenv("WX_STACK") == "" {
		t.Skip("set WX_STACK=1 to build images and run docker-compose.yml, which takes about ten minutes")
	}
	s := newStack(t)
	s.build()
	s.up()
	for _, service := range services {
		s.isConfined(service)
	}
	s.await("calls", func(now report) bool { return now.OK >= 5 })
	s.rotates("at rest")
	s.heals("at rest")
	for _, service := range []string{"nats-1", "nats-2", "nats-3", "publisher-1", "publisher-2", "agent"} {
		s.kills(service)
	}
	s.callsAgent()
	for _, service := range []string{"nats-2", "publisher-1"} {
		s.disconnects(service)
	}
	for _, service := range []string{"nats-3", "publisher-2"} {
		s.pauses(service)
	}
	s.restarts("nats-1", "nats-2", "nats-3", "publisher-1", "publisher-2")
	s.rotates("in the end")
	last := s.report()
	t.Logf("the service made %d calls with %d tokens, %d failed", last.OK+last.Failed, last.Tokens, last.Failed)
	s.checkLogs()
}

// report is what the example service tells.
type report struct {
	OK     int
	Failed int
	Last   string
	Token  string `json:"token_id"`
	Tokens int
}

type stack struct {
	t       *testing.T
	compose []string // the command, with its first arguments
	env     []string
	project string
	failed  int // calls that were known to have failed
}

func newStack(t *testing.T) *stack {
	t.Helper()
	if said, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine runs here: %s", said)
	}
	compose, env := []string{"docker", "compose"}, "COMPOSE_PARALLEL_LIMIT=1" // else the same image is built several times at once
	if exec.Command("docker", "compose", "version").Run() != nil {
		compose, env = []string{"docker-compose"}, "COMPOSE_PARALLEL_LIMIT=" // it takes no 1, and does build one after the other
		if _, err := exec.LookPath("docker-compose"); err != nil {
			t.Skip("neither docker compose nor docker-compose is here")
		}
	}
	project := fmt.Sprintf("wxstack%d", os.Getpid())
	names := filepath.Join(t.TempDir(), "names.yml")
	if err := os.WriteFile(names, []byte(ownImages(project)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, project: project}
	s.compose = append(compose, "-p", project, "-f", "../docker-compose.yml", "-f", names)
	s.env = append(os.Environ(), env, "COMPOSE_PROJECT_NAME=", "DOCKER_BUILDKIT=0", "WX_APPID=", "WX_LOG_LEVEL=debug", "WX_ENDPOINT=token",
		"WX_REFRESH_EVERY=15s", "CALL_EVERY=200ms",
		"WX_PORT_NATS=0", "WX_PORT_SIMULATOR=0", "WX_PORT_PUBLISHER=0", "WX_PORT_AGENT=0", "WX_PORT_EXAMPLE=0") // any that are free
	return s
}

// ownImages keeps what is built of stand-ins apart from what users build.
func ownImages(project string) string {
	var b strings.Builder
	b.WriteString("services:\n")
	for _, service := range services {
		image, _, _ := strings.Cut(service, "-")
		if image == "publisher" || image == "agent" || image == "simulator" {
			image = "wxtoken"
		}
		fmt.Fprintf(&b, "  %s: { image: %s-%s }\n", service, project, image)
	}
	return b.String()
}

func (s *stack) build() {
	s.t.Helper()
	standInNATS(s.t)
	standInGo(s.t)
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s", s.run(s.with("logs", "--no-color", "--tail=40")...))
		}
		s.run(s.with("down", "-v", "--rmi", "all", "--remove-orphans", "-t", "5")...)
	})
	began := time.Now()
	s.must(s.with("build")...)
	s.t.Logf("images are built in %.0f s", time.Since(began).Seconds())
	for _, image := range []string{"wxtoken", "nats", "example"} {
		size := s.must("docker", "image", "inspect", "-f", "{{.Size}} {{.Config.User}}", s.project+"-"+image)
		s.t.Logf("image %s: size and user %s", image, strings.TrimSpace(size))
	}
}

func (s *stack) up() {
	s.t.Helper()
	began := time.Now()
	s.must(s.with("up", "-d", "--no-build")...)
	s.awaitHealthy(services...)
	s.t.Logf("all is healthy after %.0f s", time.Since(began).Seconds())
}

// isConfined checks what keeps a container that was broken into from doing more.
func (s *stack) isConfined(service string) {
	s.t.Helper()
	id := s.container(service)
	got := strings.TrimSpace(s.must("docker", "inspect", "-f",
		"{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}}", id))
	if want := "65532:65532 true [ALL] [no-new-privileges:true] unless-stopped"; got != want {
		s.t.Errorf("%s runs as %s, want %s", service, got, want)
	}
	for port := range strings.Lines(s.must("docker", "port", id)) {
		if !strings.Contains(port, "-> 127.0.0.1:") {
			s.t.Errorf("%s is reachable from other machines: %s", service, port)
		}
	}
}

func (s *stack) with(args ...string) []string { return append(slices.Clone(s.compose), args...) }

// run returns what a command says, and says itself when it failed.
func (s *stack) run(args ...string) string {
	said, err := s.try(args...)
	if err != nil {
		s.t.Logf("%v: %v\n%s", args, err, said)
	}
	return said
}

func (s *stack) must(args ...string) string {
	s.t.Helper()
	said, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, said)
	}
	return said
}

func (s *stack) try(args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...) // cleaning up goes on after the test's ctx
	cmd.Env = s.env
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// container is the id of a service's container.
func (s *stack) container(service string) string {
	s.t.Helper()
	return strings.TrimSpace(s.must("docker", "ps", "-aq", "--filter", "label=com.docker.compose.project="+s.project,
		"--filter", "label=com.docker.compose.service="+service))
}

func (s *stack) awaitHealthy(services ...string) {
	s.t.Helper()
	for _, service := range services {
		id := s.container(service)
		s.poll(service+" to be healthy", func() bool {
			return strings.TrimSpace(s.must("docker", "inspect", "-f", "{{.State.Health.Status}}", id)) == "healthy"
		})
	}
}

func (s *stack) poll(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(stackPatience); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// url is where a service's port is published, which changes when its container starts again.
func (s *stack) url(service, port string) string {
	said, err := s.try("docker", "port", s.container(service), port)
	if err != nil {
		return "http://127.0.0.1:0/"
	}
	addr, _, _ := strings.Cut(said, "\n")
	return "http://" + addr + "/"
}

func (s *stack) report() (now report) {
	s.t.Helper()
	s.poll("the service's report", func() bool {
		resp, err := http.Get(s.url("example", "9404"))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		now = report{}
		return json.NewDecoder(resp.Body).Decode(&now) == nil
	})
	if now.Failed > s.failed {
		s.t.Errorf("%d calls failed, the last with: %s", now.Failed-s.failed, now.Last)
		s.failed = now.Failed
	}
	return now
}

func (s *stack) await(what string, holds func(report) bool) report {
	s.t.Helper()
	var now report
	s.poll(what, func() bool { now = s.report(); return holds(now) })
	return now
}

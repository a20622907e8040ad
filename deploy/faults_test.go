package deploy

import (
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// rotates waits for a scheduled refresh to reach the service.
func (s *stack) rotates(when string) {
	s.t.Helper()
	before := s.report()
	s.await("a rotation "+when, func(now report) bool { return now.Tokens > before.Tokens && now.OK > before.OK })
}

// heals lets the simulator end the token: the service reports that, and its call is answered all the same.
func (s *stack) heals(when string) {
	s.t.Helper()
	before := s.report()
	resp, err := http.Post(s.url("simulator", "9401")+"_sim/revoke", "application/json", strings.NewReader(`{"channel":"token"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("revoke: %s", resp.Status)
	}
	began := time.Now()
	s.await("another token "+when, func(now report) bool { return now.Tokens > before.Tokens && now.OK > before.OK })
	s.t.Logf("%s: a token that died was replaced, as the service saw after %.1f s", when, time.Since(began).Seconds())
}

// kills is docker kill, after which nothing starts a container again but ourselves.
func (s *stack) kills(service string) {
	s.t.Helper()
	s.must("docker", "kill", s.container(service))
	s.heals("without " + service)
	s.must("docker", "start", s.container(service))
	s.awaitHealthy(services...)
}

// callsAgent calls WeChat as a service in another language would.
func (s *stack) callsAgent() {
	s.t.Helper()
	resp, err := http.Get(s.url("agent", "9403") + "cgi-bin/get_api_domain_ip")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "ip_list") {
		s.t.Errorf("through the agent: %s %s, %v", resp.Status, body, err)
	}
}

// disconnects takes a container's network away, so that its packets vanish.
func (s *stack) disconnects(service string) {
	s.t.Helper()
	network := s.project + "_bus"
	s.must("docker", "network", "disconnect", network, s.container(service))
	s.rotates("with " + service + " cut off")
	s.must("docker", "network", "connect", "--alias", service, network, s.container(service))
	s.awaitHealthy(services...)
}

func (s *stack) pauses(service string) {
	s.t.Helper()
	s.must("docker", "pause", s.container(service))
	s.rotates("with " + service + " paused")
	s.must("docker", "unpause", s.container(service))
	s.awaitHealthy(services...)
}

// restarts is an upgrade: one after the other, each when the one before is healthy again.
func (s *stack) restarts(rolling ...string) {
	s.t.Helper()
	before, began := s.report(), time.Now()
	for _, service := range rolling {
		s.must(s.with("restart", service)...)
		s.awaitHealthy(services...)
	}
	now := s.report()
	s.t.Logf("rolling restart of %v: %.0f s, %d calls, %d failed", rolling, time.Since(began).Seconds(),
		now.OK-before.OK, now.Failed-before.Failed)
	s.heals("after the rolling restart")
}

// checkLogs looks for the demo's AppSecret, which is too short to search for, in the form that it would have in a URL.
func (s *stack) checkLogs() {
	s.t.Helper()
	logs := s.must(s.with("logs", "--no-color")...)
	for _, secret := range []string{"secret=secret", `"secret":"secret"`, "access_token=", s.seed("publisher"), s.seed("service")} {
		if strings.Contains(logs, secret) {
			s.t.Errorf("the logs hold %q", secret)
		}
	}
}

func (s *stack) seed(user string) string {
	s.t.Helper()
	seed, err := os.ReadFile(seedOf(user))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(seed))
}

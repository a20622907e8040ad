package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string // in standard output
		log  string // in standard error
	}{
		{nil, exitConfiguration, "", "publisher"},
		{[]string{"-h"}, exitOK, "simulator", ""},
		{[]string{"help"}, exitOK, "demo", ""},
		{[]string{"bogus"}, exitConfiguration, "", `no command "bogus"`},
		{[]string{"publisher", "-h"}, exitOK, "WX_REFRESH_AHEAD", ""},
		{[]string{"agent", "-h"}, exitOK, "WX_AGENT_ADDR", ""},
		{[]string{"simulator", "--help"}, exitOK, "WX_SIM_EXPIRES_IN", ""},
		{[]string{"demo", "-h"}, exitOK, "WX_EMBEDDED_ADDR", ""},
		{[]string{"version", "-h"}, exitOK, "no variables", ""},
		{[]string{"version"}, exitOK, "wxtoken " + version, ""},
		{[]string{"publisher", "now"}, exitConfiguration, "", "takes no arguments"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			var out, log bytes.Buffer
			code := run(t.Context(), c.args, &out, &log)
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(log.String(), c.log) {
				t.Errorf("exit code %d, out %q, log %q", code, out.String(), log.String())
			}
			if (c.out == "") != (out.Len() == 0) {
				t.Errorf("out %q", out.String())
			}
		})
	}
}

func TestBadConfigurationExitsWith2(t *testing.T) {
	p := start(t, "publisher", "WX_APPID=wx1", "WX_SECRET="+testSecret, "WX_LEASE_TTL=1s", "WX_REPLICAS=x", "WX_LOG_LEVEL=info")
	if code := p.wait(); code != exitConfiguration {
		t.Errorf("exit code %d", code)
	}
	for _, text := range []string{"2 mistake(s)", "WX_LEASE_TTL", "WX_REPLICAS", "wxtoken publisher -h"} {
		if !strings.Contains(p.out.String(), text) {
			t.Errorf("doesn't say %q: %s", text, p.out)
		}
	}
}

package deploy

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/config"
)

// A variable that no command reads is a mistake that would go unnoticed.
func TestVariablesAreOnesThatCommandsRead(t *testing.T) {
	var table bytes.Buffer
	for _, usage := range []func(io.Writer) error{config.PublisherUsage, config.AgentUsage, config.SimulatorUsage, config.HealthUsage} {
		if err := usage(&table); err != nil {
			t.Fatal(err)
		}
	}
	name := regexp.MustCompile(`\b(WX|NATS)_[A-Z_]+`)
	known := name.FindAllString(table.String(), -1)
	known = append(known, "NATS_NAME") // nats.conf does
	for _, file := range []string{"../docker-compose.yml", "../docker-compose.wechat.yml", "kubernetes.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range name.FindAllString(string(data), -1) {
			if !slices.Contains(known, found) && !strings.HasPrefix(found, "WX_PORT_") {
				t.Errorf("%s: nothing reads %s", file, found)
			}
		}
	}
}

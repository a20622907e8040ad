package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/config"
)

// healthTimeout is shorter than what container engines give a health check.
const healthTimeout = 2 * time.Second

// runHealth is a health check for images that have nothing else in them.
func runHealth(ctx context.Context, out, _ io.Writer) error {
	url, err := config.ReadHealthURL()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

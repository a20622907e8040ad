package statuspage

import (
	"strconv"
	"strings"
	"time"
)

// moment is a time as people read it.
type moment struct {
	Text string // how far away it is
	ISO  string
	Full string
}

func (t *texts) moment(at, now time.Time) moment {
	if at.IsZero() {
		return moment{Text: t.Unknown}
	}
	m := moment{ISO: at.UTC().Format(time.RFC3339), Full: at.In(t.zone).Format("2006-01-02 15:04:05 ") + t.zoneName}
	switch d := at.Sub(now); {
	case d > 0:
		m.Text = t.in(t.duration(d))
	case d > -10*time.Second:
		m.Text = t.justNow
	case d > -2*time.Minute:
		m.Text = t.ago(t.duration(-d.Truncate(10 * time.Second))) // need not be told each second
	default:
		m.Text = t.ago(t.duration(-d))
	}
	return m
}

// duration is d in one unit or two, rounded down. What is less than two minutes is counted in seconds.
func (t *texts) duration(d time.Duration) string {
	d = max(d, 0)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return join(days, t.units.day, hours, t.units.hour)
	case hours > 0:
		return join(hours, t.units.hour, minutes, t.units.minute)
	case d >= 2*time.Minute:
		return strconv.Itoa(minutes) + t.units.minute
	}
	return strconv.Itoa(int(d.Seconds())) + t.units.second
}

// join leaves out a smaller unit of which there is none.
func join(n int, unit string, smaller int, smallerUnit string) string {
	text := strconv.Itoa(n) + unit
	if smaller > 0 {
		text += " " + strconv.Itoa(smaller) + smallerUnit
	}
	return text
}

// thousands writes 5000 as 5,000, as is done in both languages.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

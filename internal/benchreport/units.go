package main

import (
	"fmt"
	"strconv"
	"strings"
)

// scale is a unit of its kind, and how many of the smallest it is.
type scale struct {
	size float64
	name string
}

func durations() []scale { return []scale{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}} }

func sizes() []scale { return []scale{{1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}} }

// quantity is what a benchmark's unit measures: in which scales to show it, and its size in the smallest.
func quantity(unit string) (scales []scale, size float64) {
	first, _, _ := strings.Cut(unit, "/") // p99-ms, cpu-µs/call, KiB/conn
	if _, last, ok := strings.Cut(strings.TrimPrefix(first, "late-"), "-"); ok {
		first = last
	}
	for _, scales := range [][]scale{durations(), sizes()} {
		for _, s := range scales {
			if s.name == first {
				return scales, s.size
			}
		}
	}
	return nil, 1
}

// show writes a metric: its median, and its extremes if there are any.
func show(s spread, unit string) string {
	scales, size := quantity(unit)
	text := showOne(s.median*size, scales)
	if s.n > 1 {
		text += " (" + showOne(s.low*size, scales) + " – " + showOne(s.top*size, scales) + ")"
	}
	if rest, is := strings.CutPrefix(unit, "calls"); is {
		text += " calls" + rest
	}
	return text
}

func showOne(value float64, scales []scale) string {
	for _, s := range scales {
		if value >= s.size || s.size == 1 {
			return digits(value/s.size) + " " + s.name
		}
	}
	return digits(value)
}

// digits writes about three significant ones.
func digits(v float64) string {
	places := 0
	switch {
	case v == float64(int64(v)), v >= 99.5:
	case v >= 9.95:
		places = 1
	default:
		places = 2
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// showRatio writes a ratio, or nothing where there is none.
func showRatio(s spread) string {
	switch {
	case s.n == 0:
		return ""
	case s.n == 1:
		return ratioDigits(s.median) + "×"
	}
	return fmt.Sprintf("%s× (%s – %s)", ratioDigits(s.median), ratioDigits(s.low), ratioDigits(s.top))
}

// ratioDigits shows small ratios as fractions of 1.
func ratioDigits(v float64) string {
	if v > 0 && v < 0.1 {
		return "1/" + digits(1/v)
	}
	return digits(v)
}

package main

import "slices"

// spread is a metric over rounds. It is empty, and n is 0, if it wasn't measured.
type spread struct {
	n                int
	median, low, top float64
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	median := sorted[half]
	if len(sorted)%2 == 0 {
		median = (sorted[half-1] + sorted[half]) / 2
	}
	return spread{len(sorted), median, sorted[0], sorted[len(sorted)-1]}
}

// of is the spread of one metric by one.
func of(rounds []round, by, unit string) spread {
	var values []float64
	for _, r := range rounds {
		if v, measured := r[by].values[unit]; measured {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// ratios is the spread of our metric divided by the reference's of the same round. Without it where one of them is 0, there
// are none.
func ratios(rounds []round, reference, unit string) spread {
	var values []float64
	for _, r := range rounds {
		mine, measured := r[ours].values[unit]
		its := r[reference].values[unit]
		if measured && its > 0 {
			values = append(values, mine/its)
		}
	}
	return spreadOf(values)
}

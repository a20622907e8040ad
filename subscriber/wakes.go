package subscriber

import (
	"container/heap"
	"time"
)

// wakes are a feed's watches, the one that has something to do first in front.
type wakes []*watch

func (w wakes) first() *watch {
	if len(w) == 0 {
		return nil
	}
	return w[0]
}

// set makes watch wake at the time at.
func (w *wakes) set(watch *watch, at time.Time) {
	watch.wake = at
	if watch.place < 0 {
		heap.Push(w, watch)
		return
	}
	heap.Fix(w, watch.place)
}

func (w *wakes) drop(watch *watch) {
	if watch.place >= 0 {
		heap.Remove(w, watch.place)
	}
}

// Len is part of heap.Interface, like all that follows.
func (w wakes) Len() int { return len(w) }

func (w wakes) Less(i, j int) bool { return w[i].wake.Before(w[j].wake) }

func (w wakes) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

func (w *wakes) Push(x any) {
	watch := x.(*watch)
	watch.place = len(*w)
	*w = append(*w, watch)
}

func (w *wakes) Pop() any {
	last := len(*w) - 1
	watch := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	watch.place = -1
	return watch
}

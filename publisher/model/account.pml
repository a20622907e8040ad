/* What a publisher knows of the key, and what follows from it. Each inline is named as the function that it models. */

/* What a publisher knows, and loses when it dies. */
typedef Memory {
  Value seen; bool kept; bool lost; byte doubted;
  byte waiting;      /* ids of tokens that were reported, as a set */
  byte batch;        /* those that go through the path now */
  bool scheduled;    /* the schedule's ask goes with them */
  bool busy;         /* in a pass */
  bool calling;      /* a mint is in flight */
  bool inTime;       /* it ends within the HTTP timeout, which the lease outlives */
  bool stopped;      /* it doesn't: the process was stopped after it had looked at the lease */
  byte fence         /* of the lease that is held */
};
Memory p[N];
#define me p[i]
#define bit(t) (1 << (t))

/* account.go: what is known of the key. */

inline settleOn(s) {
  always(I9, !me.kept || me.seen.id == s.id || me.seen.fence < s.fence);  /* given up for a newer one only */
  if
  :: s.fence >= me.doubted -> me.doubted = 0
  :: else /* a late writer's */
  fi;
  setValue(me.seen, s);
  me.lost = false; me.kept = false
}

inline note(s) {
  if
  :: s.id == 0 -> me.lost = true
  :: s.id > 0 && s.id == me.seen.id && s.generation >= me.seen.generation ->
       if
       :: me.kept || s.generation > me.seen.generation -> settleOn(s)
       :: else -> me.lost = false
       fi
  :: s.id > 0 && !(s.id == me.seen.id && s.generation >= me.seen.generation) ->
       if
       :: me.kept
       :: !me.kept && s.generation > me.seen.generation -> settleOn(s)
       :: !me.kept && s.generation <= me.seen.generation -> me.lost = true
       fi
  fi
}

inline observe(s) { note(s) }

inline adopt(s) { settleOn(s) }

inline keep(w) {
#ifndef NO_KEEP
  setValue(me.seen, w);
  me.kept = true; me.doubted = 0
#else
  skip
#endif
}

inline doubt() {
#ifndef NO_DOUBT
  me.doubted = me.fence
#else
  skip
#endif
}

/* store.go, due.go, ask.go: looking at the key, and what follows from it. */

inline read() {
  setValue(current, key); currentRevision = revision;
  observe(current)
}

/* missing sets v, if the key should hold it instead of what it does. */
inline missing() {
  must = false;
  if
  :: me.kept && me.seen.id != current.id || current.id == 0 ->
       must = me.seen.id > 0; setValue(v, me.seen)
  :: else ->
       if
       :: current.generation >= me.seen.generation
       :: else ->
            must = true;
            if
            :: me.seen.fence >= current.fence -> setValue(v, me.seen)
            :: else -> setValue(v, current); v.generation = me.seen.generation + 1
            fi
       fi
  fi
}

#define due (current.id == 0 || must || me.doubted > 0 || current.id <= near)

inline settle() {
  missing();
  if :: due :: else -> me.scheduled = false fi;
  if
  :: current.id > 0 && !must -> me.batch = me.batch & bit(current.id)
  :: else
  fi;
  forgetValue(v)
}

inline overtaken() {
  gone = false;
#ifdef FENCE_NEVER
#elif defined(FENCE_ALWAYS)
  if :: current.id > 0 && current.id != v.id -> gone = true; adopt(current) :: else fi
#else
  if
  :: current.id > 0 && current.fence > v.fence && current.id != v.id -> gone = true; adopt(current)
  :: else
  fi
#endif
}

#define scheduleWants (me.seen.id == 0 || me.kept || me.lost || me.doubted || me.seen.id <= near)
#define wanted (me.waiting || scheduleWants)
#define empty (me.batch == 0 && !me.scheduled)

#define max(x, y) ((x) > (y) -> (x) : (y))
inline raise() { v.generation = max(v.generation, current.generation + 1) }

inline readAfter() { read() }

/* pass.go */

inline refuse() { me.batch = 0; me.scheduled = false }

inline release() {
  if
  :: holds(i) -> holder = NOBODY
  :: else /* it ended, or we don't know its revision */
  fi
}

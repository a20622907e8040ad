/* What happens by itself, and what goes wrong. Nothing here models Go code. */

/* Choices at each word with NATS or WeChat: the publisher dies, or the request or its answer is lost. */
#define DIES :: atomic { crashes > 0 -> crashes--; faults++; goto died }
#define LOSE losable > 0 -> losable--; faults++

inline forgetPass() {
  forgetValue(current); forgetValue(v); currentRevision = 0; got = 0; unanswered = 0;
  must = false; gone = false; repeated = false; force = false; delivering = false
}

inline forget(i) {
  p[i].seen.id = 0; p[i].seen.generation = 0; p[i].seen.fence = 0;
  p[i].kept = false; p[i].lost = false; p[i].doubted = 0;
  p[i].waiting = 0; p[i].batch = 0; p[i].scheduled = false; p[i].busy = false;
  p[i].calling = false; p[i].inTime = false; p[i].stopped = false; p[i].fence = 0
}

/* A lease ends at any time, but not within a call that it was seen to outlive. */
#define mayEnd (holder == GONE || !p[holder - 1].busy || overruns > 0 && !p[holder - 1].inTime)

inline endLease() {
  if
  :: holder != GONE && p[holder - 1].busy -> overruns--; faults++
  :: else
  fi;
  holder = NOBODY
}

/* What a look at the key would tell a publisher. */
#define newsFor(i) (key.id > 0 && ( \
  key.id == p[i].seen.id && (key.generation > p[i].seen.generation || key.generation == p[i].seen.generation && p[i].kept) || \
  key.id != p[i].seen.id && !p[i].kept && (key.generation > p[i].seen.generation || !p[i].lost)))

/* The stored token is dead, and services say so for as long as it is. */
#define reportable(i) (key.id > 0 && !accepted(key.id) && !(p[i].waiting & (1 << key.id)))

inline report(i, t) { p[i].waiting = p[i].waiting | (1 << t) }

proctype world() {
  byte i, t;
  do
  :: atomic { holder != NOBODY && mayEnd -> endLease() }
  :: atomic { grace -> grace = false }
  :: atomic { deaths > 0 && newest > 0 && !dead -> deaths--; dead = true }
  :: atomic { rotations > 0 && key.id > near -> rotations--; near = key.id }
  :: atomic { reportable(0) -> report(0, key.id) }
  :: atomic { reportable(1) -> report(1, key.id) }
#if N > 2
  :: atomic { reportable(2) -> report(2, key.id) }
#endif
  :: atomic { reports > 0 && key.id > 0 -> reports--;
       select(i : 0 .. N - 1); select(t : 1 .. key.id); report(i, t); i = 0; t = 0 }
  :: timeout -> break
  od;
  /* Nothing can happen any more, so this is where every run ends that is nobody's mirror image: see README.md. */
  atomic {
    for (i : 0 .. N - 1) {
      if :: p[i].busy && !inTurn(i) -> goto mirrored :: else fi
    }
    for (i : 0 .. N - 1) { always(I2, !p[i].busy && !p[i].kept && !p[i].waiting) }
    always(I2, key.id == newest && accepted(key.id))
  }
mirrored: skip
}

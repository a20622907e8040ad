/* The world around the publishers: NATS and WeChat, what may go wrong, and the properties. Nothing here models Go code. */

#ifndef N
#define N 2          /* publishers of one account */
#endif
#ifndef CRASHES
#define CRASHES 1    /* a publisher dies at any step, and starts again without its memory */
#endif
#ifndef LOST
#define LOST 1       /* a request to NATS or WeChat, or its answer, is lost */
#endif
#ifndef OVERRUNS
#define OVERRUNS 1   /* a lease ends while its holder is at work */
#endif
#ifndef STOPS
#define STOPS 0      /* a publisher is stopped inside a call, and comes to WeChat after its HTTP timeout */
#endif
#ifndef DEATHS
#define DEATHS 1     /* the newest token dies early */
#endif
#ifndef ROTATIONS
#define ROTATIONS 0  /* the stored token comes near its end */
#endif
#ifndef REPORTS
#define REPORTS 1    /* late or wrong reports. Those of a token that is dead and still stored have no bound */
#endif

/* The properties, by their numbers in the design. ONLY picks one. */
#define I1 1
#define I2 2
#define I4 4
#define I6 6
#define I9 9
#ifndef ONLY
#define ONLY 0
#endif
#define always(number, condition) assert(ONLY != 0 && ONLY != number || number * !(condition) == 0)

#define NOBODY 0
#define GONE   255   /* who took the lease is dead */

byte crashes = CRASHES, losable = LOST, overruns = OVERRUNS, stops = STOPS;
byte deaths = DEATHS, rotations = ROTATIONS, reports = REPORTS;

/* Tokens are numbered as WeChat mints them. 0 is none. */
typedef Value { byte id; byte generation; byte fence }

/* NATS: two keys, each written with compare-and-set. That a lease ends by itself is a step of the world. */
Value key; byte revision;
byte holder, leaseRevision;
byte takers;         /* publishers that have held the lease: see inTurn */

/* WeChat: the newest token lives unless it died early, the one before it for a while. */
byte newest; bool dead; bool grace;
#define accepted(t) ((t) > 0 && ((t) == newest && !dead || grace && (t) + 1 == newest))

byte near;           /* tokens up to this one are near their end */

#ifdef STABLE
#define NEW(force) (force || newest == 0 || newest <= near)
#else
#define NEW(force) true
#endif

/* For the properties only. */
byte faults;         /* what excuses a second mint for a token */
byte mintsFor[8];   /* mints that were begun to replace a token */

/* Publishers are alike, so a run in which they take the lease for the first time in another order than that of their
   numbers is the mirror image of one in which they don't. It is left out. */
#define inTurn(i) ((i) <= takers)

#define holds(i) (holder == (i) + 1 && leaseRevision == p[i].fence)

/* I1: who else is in a call was stopped there for longer than the call may take, and is behind by its fence. */
#define alone(j) ((j) == i || !p[j].calling || p[j].stopped && p[j].fence < me.fence)
#if N > 2
#define oneMinter always(I1, alone(0) && alone(1) && alone(2))
#else
#define oneMinter always(I1, alone(0) && alone(1))
#endif

inline forgetValue(v) { v.id = 0; v.generation = 0; v.fence = 0 }

inline setValue(to, from) {
  to.id = from.id; to.generation = from.generation; to.fence = from.fence
}

/* Write stores v, which its writer may only do where the key has the revision that it read. */
inline write(v) {
  always(I2, key.fence <= v.fence);                      /* no step back in the order of leases */
  always(I2, stops < STOPS || key.id <= v.id);           /* nor, if none was stopped, in WeChat's */
  always(I6, key.generation < v.generation);             /* readers take only what is greater */
  setValue(key, v);
  revision++;
  if :: v.id == newest -> grace = false :: else fi       /* it matters to nobody any more */
}

/* A call comes to WeChat: it gives a new token or, with stable_token, the newest until that is near its end. */
inline mintAtWeChat(old, force) {
  if
  :: NEW(force) ->
       newest++; grace = newest > 1 && !dead && !force; dead = false;
       mintsFor[old]++;
       always(I4, mintsFor[old] <= 1 + faults)
  :: else
  fi
}

/* The refresh path of package publisher, for one account: see README.md. Each label is named as the function that it
   models, or as a later part of it, with an underscore. Where it is followed by an if, others may take their steps in
   between: before each word with NATS or WeChat. */
#include "world.pml"
#include "account.pml"
#include "faults.pml"

proctype publisher(byte i) {
  Value current, v;
  byte currentRevision;
  byte got;         /* the token that WeChat gave */
  byte unanswered;  /* the fence of a mint that WeChat made and whose answer was lost */
  bool must, gone, err, repeated, force, ambiguous, delivering;

#include "pass.pml"
#include "mint.pml"
#include "store.pml"

died:
  atomic {
    if :: holder == i + 1 -> holder = GONE :: else fi;
    forget(i); forgetPass();
    err = false; ambiguous = false;
    note(key);
    goto pass
  }
}

/* What the bucket republishes makes a publisher look at the key, at work or not. */
proctype watch(byte i) {
look:
  if
  :: atomic { newsFor(i) -> observe(key); goto look }
  fi
}

init {
  atomic {
    byte j;
    run world();
    for (j : 0 .. N - 1) { run publisher(j); run watch(j) }
    j = 0
  }
}

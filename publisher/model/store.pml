/* store.go: bringing a token to the key. Part of the publisher's body. */

restore:
  atomic {
    missing();
    if
    :: must && me.kept -> overtaken(); must = !gone; gone = false
    :: else
    fi;
    if
    :: must ->
#ifndef NO_RAISE
       raise();
#endif
       must = false; delivering = false; goto put
    :: else -> forgetValue(v); goto run_restored
    fi
  }

deliver:
  atomic { keep(v); delivering = true; goto put }

put: atomic { forgetValue(current); goto putOnce }
put_stored:
  atomic { setValue(current, v); currentRevision = revision; observe(current); goto put_done }
put_failed:
  if
  :: atomic {
       readAfter();
       if
       :: !holds(i) -> err = true; goto attempt_run
       :: holds(i) && current.id == v.id && current.generation >= v.generation -> goto put_done
       :: else ->
            overtaken();
            if
            :: gone -> gone = false; goto put_done
            :: else -> raise(); goto put
            fi
       fi
     }
  :: atomic { LOSE; if :: holds(i) -> goto put :: else -> err = true; goto attempt_run fi }
  DIES
  fi;
put_done:
  atomic {
    if
    :: delivering -> delivering = false; me.batch = 0; me.scheduled = false; goto attempt_run
    :: else -> forgetValue(v); goto run_restored
    fi
  }

putOnce:
  if
#ifdef NO_COMPARE_AND_SET
  :: atomic { write(v); goto put_stored }
  :: atomic { LOSE; write(v); goto put_failed }
#else
  :: atomic { revision == currentRevision -> write(v); goto put_stored }
  :: atomic { revision == currentRevision && losable > 0 -> LOSE; write(v); goto put_failed }
  :: atomic { revision != currentRevision -> goto put_failed }
#endif
  :: atomic { LOSE; goto put_failed }
  DIES
  fi;

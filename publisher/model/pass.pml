/* pass.go and lease.go: from an ask to the lease, and what is done under it. Part of the publisher's body. */

pass:
  atomic {
    wanted ->
    me.busy = true;
    me.batch = me.waiting; me.waiting = 0;
    me.scheduled = scheduleWants;
    goto attempt
  }
pass_attempted:
  atomic {
    if :: err -> refuse() :: else fi;
    err = false;
    if
    :: empty -> me.busy = false; goto pass
    :: else -> goto attempt
    fi
  }

attempt:
  if
  :: atomic {
       read(); settle(); must = false;
#ifndef NO_REREAD
       forgetValue(current); currentRevision = 0;
#endif
       if :: empty -> goto pass_attempted :: else -> goto take fi
     }
  :: atomic { LOSE; err = true; goto pass_attempted }
  DIES
  fi;
attempt_held: goto awaitHolder;
attempt_taken: goto run_begins;
attempt_run:
  atomic {
    /* What was minted is stored, or overtaken, or kept; where one may have been minted, that is known. */
    always(I9, got == 0 || me.kept && me.seen.id == got || key.id >= got || key.fence > me.fence);
    always(I9, unanswered == 0 || got > 0 || me.doubted > 0 || key.fence > unanswered);
    forgetPass()
  }
  if
  :: atomic { release(); goto attempt_released }
  :: atomic { LOSE; goto attempt_released }
  DIES
  fi;
attempt_released:
  atomic { me.fence = 0; goto pass_attempted }

take:
  if
  :: atomic {
       (holder == NOBODY || holder == i + 1) && inTurn(i) ->
       holder = i + 1; leaseRevision++;
       if :: takers == i -> takers++ :: else fi;
       if
       :: me.fence = leaseRevision; goto attempt_taken
       :: LOSE; goto take                                 /* reads that it is ours, and writes again */
       fi
     }
  :: atomic { holder != NOBODY && holder != i + 1 -> goto attempt_held }
  :: atomic { LOSE; err = true; goto pass_attempted }
  DIES
  fi;

awaitHolder: goto pass_attempted; /* it waits for news or for a moment, so for anything */

run_begins: /* run is a word of Promela's */
  if
#ifdef NO_REREAD
  :: atomic { true -> goto run_restored }
#else
  :: atomic { read(); goto restore }
#endif
  :: atomic { LOSE; err = true; goto attempt_run }
  DIES
  fi;
run_restored:
  atomic {
    settle();
    if
    :: empty -> must = false; goto attempt_run
    :: !empty && due -> must = false; goto run_mint
    :: !empty && !due -> goto verifyReports
    fi
  }
run_mint: goto mintFor;

/* verify.go and mint.go: the words with WeChat. Part of the publisher's body. */

verifyReports:
  if
  :: atomic { accepted(current.id) -> me.batch = 0; goto attempt_run }
  :: atomic { !accepted(current.id) -> goto run_mint }
  :: atomic { LOSE; err = true; goto attempt_run }
  DIES
  fi;

mintFor: goto mint;
mintFor_minted:
  atomic {
    if
    :: got != current.id -> goto deliver
    :: got == current.id && !force -> goto sameAgain
    :: got == current.id && force -> got = 0; err = true; goto attempt_run
    fi
  }

sameAgain:
  atomic { me.doubted = 0; me.scheduled = false; got = 0; unanswered = 0; forgetValue(v) }
  if
  :: atomic { empty || accepted(current.id) -> me.batch = 0; goto attempt_run }
  :: atomic { !empty && !accepted(current.id) -> force = true; goto mint }
  :: atomic { !empty && losable > 0 -> LOSE; err = true; goto attempt_run }
  DIES
  fi;

mint: goto call;
mint_called:
  atomic {
    if
    :: err -> goto attempt_run
    :: !err && ambiguous && !repeated -> repeated = true; ambiguous = false; goto call
    :: !err && ambiguous && repeated -> ambiguous = false; err = true; goto attempt_run
    :: else -> goto mint_value
    fi
  }
mint_value:
  atomic {
    repeated = false; v.id = got; v.fence = me.fence;
    v.generation = max(me.seen.generation, current.generation) + 1;
    goto mintFor_minted
  }

call:
  if
#ifdef NO_DEADLINE_CHECK
  :: atomic { true ->
#else
  :: atomic { !holds(i) -> err = true; goto mint_called }
  :: atomic { LOSE; err = true; goto mint_called }
  :: atomic { holds(i) ->                                    /* and it outlives the call, or else is renewed */
       me.inTime = true;
#endif
       oneMinter;
       me.calling = true;
       if
       :: stops > 0 -> stops--; faults++; me.stopped = true; me.inTime = false
       :: true
       fi;
       goto call_arrives
     }
  DIES
  fi;
call_arrives:
  if
  :: atomic { mintAtWeChat(current.id, (force && !repeated)); got = newest; goto call_ends }
  :: atomic { LOSE; mintAtWeChat(current.id, (force && !repeated)); ambiguous = true; unanswered = me.fence; goto call_ends }
  :: atomic { LOSE; ambiguous = true; goto call_ends }
  DIES
  fi;
call_ends:
  if
  :: atomic {
       me.calling = false; me.inTime = false; me.stopped = false;
       if :: ambiguous -> doubt() :: else fi;
       goto mint_called
     }
  DIES
  fi;

/* The lock's protocol, for spin: what airflow_codebeamer/locking does, step by step.
 *
 * A lock is two facts: a record in a SQL store, and role permissions on a server
 * that knows neither tokens nor conditions. Every `atomic` block that touches the
 * record is one committed transaction; every one that touches `srv` is one request.
 * Between any two of them a process may die and come back, a lease may run out
 * under a living holder, an answer may stay away, an administrator may edit, an
 * operator may break the lock.
 *
 * A permission set is four bits: a right to write, which the lock takes away; a
 * right to read that only the administrator grants; one that he may take away; and
 * a right to write that only he grants, which the lock takes away like the first.
 *
 * How much of it happens (each a -D of its own):
 *   RUNS acquisitions   CRASHES   EXPIRIES of a good lease   SILENT answers
 *   EDITS by the administrator   BREAKS by an operator
 * What is assumed and what is on:
 *   LATE     the lock delay does not hold: a request may land whenever it likes
 *   NOSCRUB  recovery does not look for late requests
 *   SAME     both runs are tries of one owner; TRIES of them begin beside a try that lives
 *   NOEXCL   do not check exclusivity (it cannot hold under LATE)
 * Seeded faults, each of which must be found: the names that begin with BUG_.
 */
#ifndef RUNS
#define RUNS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef EXPIRIES
#define EXPIRIES 1
#endif
#ifndef SILENT
#define SILENT 1
#endif
#ifndef EDITS
#define EDITS 1
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#ifndef TRIES
#define TRIES 0
#endif

#define ROLES 2
#define SLOTS 2
#define MAYWRITE 1
#define GRANTED_BY_ADMIN 2
#define TAKEN_BY_ADMIN 4
#define WRITE_BY_ADMIN 8
#define WRITES (MAYWRITE | WRITE_BY_ADMIN)
#define ORIGINALLY (MAYWRITE | TAKEN_BY_ADMIN)
#define NARROW(set) ((set) & ~WRITES)
#define NOBODY 9

mtype:state = { FREE, GRANTED, LOCKING, HELD, RESTORING };

/* ---- the store: the record, and the journal of its lineage ---- */
mtype:state state = FREE;
byte epoch = 0;
byte owner = NOBODY;
bool lease = false;                 /* good, or run out; see Clock */
bool working = false;               /* a living process works under this epoch */
bool breaking = false;
bool dirty = false;                 /* a request of this lineage went unanswered */
byte original[ROLES];
byte base[ROLES];
byte left[ROLES];                   /* what the last restore left */
bool touched[ROLES];
bool restored[ROLES];
byte unsettled[ROLES];              /* reductions that may have landed, or may yet */
byte open = 0;                      /* intents of this epoch without an outcome */

/* ---- the server, and the requests that are under way ---- */
byte srv[ROLES];
bool busy[SLOTS];
byte to_role[SLOTS], to_value[SLOTS];
bool knew[SLOTS];
byte armed = 0;                     /* checked by the store, not yet sent */

/* ---- what is left to happen; and what should come out ---- */
byte runs = RUNS, crashes = CRASHES, expiries = EXPIRIES, silences = SILENT;
byte edits = EDITS, breaks = BREAKS, tries = TRIES;
bool edited = false;                /* the administrator's edit has been made */
byte edited_role = NOBODY;
bool overwritten = false;           /* ... and fell between our read and our write */
byte should[ROLES];

#define in_flight (busy[0] || busy[1])
#ifdef LATE
#define drained true
#else
#define drained (!in_flight && armed == 0)
#endif
#ifdef BUG_NO_LOCK_DELAY
#define may_take_over (state != FREE && (!lease || breaking))
#else
#define may_take_over (state != FREE && (!lease || breaking) && drained)
#endif
#ifdef BUG_NO_FENCE
#define mine (epoch == my || state != FREE)
#else
#define mine (epoch == my && lease && !breaking)
#endif
#define missing(r, now) (left[r] & ~(now))
/* A late request and an edit on top of it, on a free tracker: cannot be told from
 * one edit, so recovery does not touch it and names it to a person. */
#define reported(r) \
  (unsettled[r] > 0 && (missing(r, srv[r]) & WRITES) && (missing(r, srv[r]) & ~WRITES))
#define may_retry (!working || tries > 0)
#define late(r, now) (unsettled[r] > 0 -> (missing(r, now) & WRITES) : 0)
#define explained(r, now) \
  (unsettled[r] > 0 && missing(r, now) != 0 && (missing(r, now) & ~WRITES) == 0)

/* One request to set a role, as the server carries it out. */
inline land(r, value, with_edit) {
  srv[r] = value;
  if
  :: edited && edited_role == r && !with_edit -> overwritten = true
  :: else
  fi
}

inline read_all() {
  atomic { seen[0] = srv[0]; seen[1] = srv[1]; saw = edited }
}

/* RoleWriter.send: intent and check in one commit, then the request. */
inline send(r, value, reduces, during) {
#ifdef BUG_REQUEST_FIRST
  atomic { land(r, value, saw); seen[0] = srv[0]; seen[1] = srv[1]; saw = edited };
  if :: atomic { crashes > 0 -> crashes--; goto dead } :: true fi;
  if
  :: atomic { mine && state == during -> if :: reduces -> note_touched(r) :: else fi }
  :: atomic { !(mine && state == during) -> goto lost }
  fi;
#else
  if
  :: atomic { mine && state == during ->
       if :: reduces -> note_touched(r); unsettled[r]++ :: else -> left[r] = value; restored[r] = false fi;
       open++; armed++ }
  :: atomic { !(mine && state == during) -> goto lost }
  fi;
  if
  :: atomic { land(r, value, saw); armed--;             /* sent, done, answered */
       seen[0] = srv[0]; seen[1] = srv[1]; saw = edited };
     if
     :: atomic { mine && state == during ->
          open--;
          if :: reduces -> unsettled[r]-- :: else -> restored[r] = true fi }
     :: atomic { !(mine && state == during) -> goto lost }
     :: atomic { crashes > 0 -> crashes--; goto dead }
     fi
  :: atomic { crashes > 0 -> crashes--; armed--; goto dead }        /* never sent */
  :: atomic { (silences > 0 || crashes > 0) && (!busy[0] || !busy[1]) ->
       if :: !busy[0] -> slot = 0 :: else -> slot = 1 fi;
       busy[slot] = true; to_role[slot] = r; to_value[slot] = value; knew[slot] = saw;
       slot = 0; armed--;
       if
       :: silences > 0 -> silences--
       :: crashes > 0 -> crashes--; goto dead
       fi };
     if
#ifdef BUG_TRUSTS_SILENCE
     :: atomic { mine && state == during -> open--; seen[r] = value }
#else
     :: atomic { mine && state == during -> open--; dirty = true };
        read_all()
#endif
     :: atomic { !(mine && state == during) -> goto lost }
     fi
  fi
#endif
}

/* The entry of a role, as it must be on the disk before its first request. */
inline note_touched(r) {
  if
  /* What changed since the snapshot is the original, unless a late request did it. */
  :: !touched[r] ->
     original[r] = seen[r] | late(r, seen[r]);
     base[r] = NARROW(seen[r]); touched[r] = true
  :: else ->
#ifndef BUG_NO_AMENDMENT
     original[r] = original[r] | (seen[r] & ~base[r]);
#endif
#ifdef BUG_MOVING_BASE
     base[r] = NARROW(seen[r])
#else
     skip
#endif
  fi;
  left[r] = original[r]; restored[r] = false
}

/* What a role must get; as it is if nothing is to be sent. */
inline wanted(r) {
  want = seen[r];
  if
  :: touched[r] && !restored[r] ->
#ifdef BUG_BLIND_RESTORE
     want = original[r]
#else
     want = (original[r] | (seen[r] & ~base[r])) & ~(base[r] & ~seen[r])
#endif
  :: !touched[r] || restored[r] ->
     /* What a request without an answer takes is ours to put back, even if somebody
      * took more on top of it, and whichever lock had sent it. */
#ifdef BUG_WHOLE_ECHO_ONLY
     if :: explained(r, seen[r]) -> want = left[r] | seen[r] :: else fi
#else
     want = seen[r] | late(r, seen[r])
#endif
  fi
}

inline forget_locals() { seen[0] = 0; seen[1] = 0; want = 0; r = 0; saw = false }

proctype Client(byte me; bool recovers) {
  byte my, r, want, slot;
  byte seen[ROLES];
  bool saw;

again:
  atomic { forget_locals(); my = 0 };
end_idle:
  atomic {
    if
    /* Acquisition._take_free: the record is ours, nothing was read yet */
    :: !recovers && runs > 0 && state == FREE ->
         runs--; epoch++; my = epoch; state = GRANTED; owner = me; lease = true;
         breaking = false; dirty = false; open = 0; working = true; goto snapshot
    /* Acquisition._take_own: a try of the same owner goes on at once */
    :: !recovers && owner == me && may_retry && state == GRANTED && !breaking ->
         tries = tries - working; epoch++; my = epoch; lease = true; working = true; goto snapshot
    :: !recovers && owner == me && may_retry && state == LOCKING && !breaking ->
         tries = tries - working; epoch++; my = epoch; lease = true; dirty = (dirty || open > 0); open = 0;
#ifdef BUG_NEW_SNAPSHOT
         state = GRANTED; working = true; goto snapshot
#else
         working = true; goto locking
#endif
    :: !recovers && owner == me && may_retry && state == HELD && lease && !breaking ->
         tries = tries - working; my = epoch; working = true; goto critical
    :: !recovers && owner == me && may_retry && !breaking && (state == RESTORING || (state == HELD && !lease)) ->
         tries = tries - working; epoch++; my = epoch; lease = true; state = RESTORING;
         dirty = (dirty || open > 0); open = 0; working = true; goto restore
    /* take_over: by who waits, and by recovery */
    :: (recovers || runs > 0) && owner != me && may_take_over && state == GRANTED ->
         epoch++; state = FREE; owner = NOBODY; lease = false; breaking = false; working = false; goto again
    :: (recovers || runs > 0) && owner != me && may_take_over && state != GRANTED ->
         epoch++; my = epoch; state = RESTORING; lease = true; breaking = false; open = 0;
         working = true; goto restore
#ifndef NOSCRUB
    /* find_echo, heal: a late request of the last lock reduced a free tracker */
    :: recovers && state == FREE && (explained(0, srv[0]) || explained(1, srv[1])) ->
         epoch++; my = epoch; state = RESTORING; lease = true; breaking = false; open = 0;
         dirty = false; working = true; goto restore
#endif
    fi
  };

snapshot:
  if :: atomic { crashes > 0 -> crashes--; goto dead } :: true fi;
  read_all();
  if
  /* the orphan check of the preflight: what may be our own doing is no original */
  :: atomic { mine && state == GRANTED && (late(0, seen[0]) | late(1, seen[1])) ->
       state = FREE; owner = NOBODY; lease = false; working = false; goto again }
  :: atomic { mine && state == GRANTED && !(late(0, seen[0]) | late(1, seen[1])) ->
       r = 0;
       do
       :: r < ROLES -> original[r] = seen[r]; base[r] = seen[r]; left[r] = seen[r];
            touched[r] = false; restored[r] = false;
#ifdef BUG_FORGETS_OLD_REQUESTS
            unsettled[r] = 0;
#endif
            r++
       :: else -> break
       od;
       r = 0; dirty = false;
       state = LOCKING; goto reduce }
  :: atomic { !(mine && state == GRANTED) -> goto lost }
  fi;

locking:
  read_all();

reduce:
  if :: atomic { crashes > 0 -> crashes--; goto dead } :: true fi;
  r = 0;
  do
  :: r < ROLES && (seen[r] & WRITES) -> send(r, NARROW(seen[r]), true, LOCKING)
  :: r < ROLES && !(seen[r] & WRITES) -> r++
  :: r == ROLES -> break
  od;
  r = 0;
#ifndef BUG_TRUSTS_SILENCE
  read_all();                                     /* verified by a read of its own */
  if
  :: (seen[0] | seen[1]) & WRITES -> goto reduce
  :: else
  fi;
#endif
#ifdef BUG_HOLDS_UNFENCED
  atomic { state = HELD; lease = true };
#else
  if
  :: atomic { mine && state == LOCKING -> state = HELD }
  :: atomic { !(mine && state == LOCKING) -> goto lost }
  fi;
#endif

critical:                                         /* the generator works */
  if :: atomic { crashes > 0 -> crashes--; goto dead } :: true fi;
#ifdef BUG_FREE_FIRST
  if :: atomic { mine -> state = FREE; lease = false; owner = NOBODY } :: atomic { !mine -> goto lost } fi;
  r = 0;
  do
  :: r < ROLES ->
     atomic { wanted(r); srv[r] = original[r] };
     if :: atomic { crashes > 0 -> crashes--; goto dead } :: true fi;
     r++
  :: else -> break
  od;
  goto again;
#endif
  if
  :: atomic { mine && state == HELD -> state = RESTORING }
  :: atomic { !(mine && state == HELD) -> goto lost }
  fi;

restore:
  read_all();
sweep:
  r = 0;
  do
  :: r < ROLES ->
     wanted(r);
     if
     :: want != seen[r] -> send(r, want, false, RESTORING)
     :: else -> r++
     fi
  :: else -> break
  od;
  r = 0; want = 0;
#ifndef BUG_NO_DRAIN
  if
  :: !(mine && state == RESTORING) -> goto lost
  :: mine && state == RESTORING && (!dirty || drained)                  /* late requests are waited out */
  fi;
#endif
  read_all();
  wanted(0); if :: want != seen[0] -> goto sweep :: else fi;
  wanted(1); if :: want != seen[1] -> goto sweep :: else fi;
  want = 0;
  if
  :: atomic { mine && state == RESTORING ->
       r = 0;
       do
       :: r < ROLES ->
            if
            :: touched[r] && !(restored[r] && left[r] == seen[r]) ->
                 restored[r] = true; left[r] = seen[r]
            :: else
            fi;
            r++
       :: else -> break
       od;
       state = FREE; lease = false; owner = NOBODY; breaking = false; working = false; goto again }
  :: atomic { !(mine && state == RESTORING) -> goto lost }
  fi;

dead:
lost:
  atomic { if :: epoch == my -> working = false :: else fi; goto again }
}

/* A lease runs out: of itself when its holder is gone, and otherwise too. */
active proctype Clock() {
end:
  do
  :: atomic { lease && working && expiries > 0 -> expiries--; lease = false }
  :: atomic { lease && !working && state != FREE -> lease = false }
  od
}

active proctype Server() {
end:
  do
  :: atomic { busy[0] -> land(to_role[0], to_value[0], knew[0]);
       busy[0] = false; to_role[0] = 0; to_value[0] = 0; knew[0] = false }
  :: atomic { busy[1] -> land(to_role[1], to_value[1], knew[1]);
       busy[1] = false; to_role[1] = 0; to_value[1] = 0; knew[1] = false }
  od
}

active proctype Administrator() {
  byte r;
end:
  do
  :: atomic { edits > 0 ->
       edits--;
       if :: r = 0 :: r = 1 fi;
       if
       :: srv[r] = srv[r] | GRANTED_BY_ADMIN; should[r] = should[r] | GRANTED_BY_ADMIN
       :: srv[r] = srv[r] & ~TAKEN_BY_ADMIN; should[r] = should[r] & ~TAKEN_BY_ADMIN
       :: srv[r] = srv[r] | WRITE_BY_ADMIN; should[r] = should[r] | WRITE_BY_ADMIN
       :: srv[r] = (srv[r] | WRITE_BY_ADMIN) & ~TAKEN_BY_ADMIN;
          should[r] = (should[r] | WRITE_BY_ADMIN) & ~TAKEN_BY_ADMIN
       fi;
       edited = true; edited_role = r; r = 0 }
  od
}

active proctype Operator() {
end:
  do
  :: atomic { breaks > 0 && state != FREE && !breaking -> breaks--;
#ifdef BUG_BREAK_FREES
       state = FREE; lease = false; owner = NOBODY
#else
       breaking = true
#endif
     }
  od
}

#ifndef NOEXCL
/* While somebody holds with a good lease, nobody else's role may write. */
active proctype Exclusive() {
end:
  atomic { state == HELD && lease && ((srv[0] | srv[1]) & MAYWRITE) -> assert(false) }
}
#endif

/* The lock only takes away: nobody ever has a right that he should not have. */
active proctype OnlyTakes() {
end:
  atomic { (srv[0] & ~(should[0] | TAKEN_BY_ADMIN)) || (srv[1] & ~(should[1] | TAKEN_BY_ADMIN)) -> assert(false) }
}

/* An original is never a set that we made. */
active proctype Originals() {
end:
  atomic { (touched[0] && !(original[0] & MAYWRITE)) || (touched[1] && !(original[1] & MAYWRITE)) -> assert(false) }
}

init {
  byte r;
  atomic {
    r = 0;
    do
    :: r < ROLES -> srv[r] = ORIGINALLY; should[r] = ORIGINALLY; left[r] = ORIGINALLY; r++
    :: else -> break
    od;
    r = 0;
#ifdef SAME
    run Client(0, false); run Client(0, false);
#else
    run Client(0, false); run Client(1, false);
#endif
    run Client(2, true)
  };
  /* Nothing is left to do: then everything is given back, exactly. */
  timeout ->
  assert(state == FREE);
  assert(srv[0] == should[0] || reported(0)
      || (overwritten && edited_role == 0 && (srv[0] & MAYWRITE)));
  assert(srv[1] == should[1] || reported(1)
      || (overwritten && edited_role == 1 && (srv[1] & MAYWRITE)))
}

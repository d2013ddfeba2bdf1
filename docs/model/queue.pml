/* The queue, for spin: what airflow_codebeamer/locking/records/queue.py does, step by step.
 *
 * Waiters want one of two trackers, or both. Every `atomic` block is one committed
 * transaction of the store. Between any two of them a waiter may die, be away for
 * longer than its lease and come back, or come too late for its offer. Time is
 * counted in arrivals: a priority is worth AGE of them.
 *
 * How much of it happens (each a -D of its own):
 *   WAITERS   ROUNDS in which each comes   AGE   DEATHS   BACK from death
 *   LAPSES of a living waiter's lease   MISSES of a living task's offer
 *   ONE_PRIORITY   for all, so that nobody may ever be passed
 * What is asked: a grant takes all of its trackers or none; a living ticket is passed
 * by no more later ones than its ageing allows; when nothing can happen any more,
 * everybody who lives was served.
 * Seeded faults, each of which must be found: the names that begin with BUG_.
 */
#ifndef WAITERS
#define WAITERS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef AGE
#define AGE 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef BACK
#define BACK 0
#endif
#ifndef LAPSES
#define LAPSES 0
#endif
#ifndef MISSES
#define MISSES 0
#endif

#ifdef ONE_PRIORITY
#define MOST 0
#else
/* Those that came less than AGE arrivals later. */
#define MOST (AGE - 1)
#endif

#define PATIENCE 2
#define NOBODY 9
#define LONG_AGO -100

mtype = { AWAY, WAITING, COMING, HOLDING, DEAD };

/* ---- the store: a record for each tracker, a ticket for each waiter ---- */
byte holder[2] = NOBODY;
mtype phase[WAITERS] = AWAY;
byte want[WAITERS];      /* bits: tracker 0, tracker 1 */
byte number[WAITERS];
short place[WAITERS];
bit lease[WAITERS];      /* the waiter was seen lately */
bit offer[WAITERS];
byte missed[WAITERS];
byte next = 1;

/* ---- what is checked, and what may still happen ---- */
byte passed[WAITERS];
bit demoted[WAITERS];
byte deaths = DEATHS, back = BACK, lapses = LAPSES, misses = MISSES;

#define waits(w) (phase[w] == WAITING || phase[w] == COMING || phase[w] == DEAD)
#define lives(w) (lease[w] || offer[w])
#define before(o, w) \
    (place[o] < place[w] || (place[o] == place[w] && number[o] < number[w]))
#define free(w) \
    ((!(want[w] & 1) || holder[0] == NOBODY) && (!(want[w] & 2) || holder[1] == NOBODY))

#ifdef BUG_SETS_DO_NOT_BLOCK
/* A ticket for both waits for its moment, and whoever wants one goes first. */
#define meets(o, w) ((want[o] & want[w]) && !(want[o] == 3 && want[w] != 3))
#else
#define meets(o, w) (want[o] & want[w])
#endif
#define blocks(o, w) \
    (o != w && waits(o) && lives(o) && meets(o, w) && before(o, w))

#if WAITERS == 2
#define ahead(w) (blocks(0, w) || blocks(1, w))
#else
#define ahead(w) (blocks(0, w) || blocks(1, w) || blocks(2, w))
#endif

#ifdef BUG_GRANT_ASKS_NOBODY
#define turn(w) free(w)
#else
#define turn(w) (free(w) && !ahead(w))
#endif

inline note_passes(w) {
    o = 0;
    do
    :: o < WAITERS ->
        if
        :: o != w && waits(o) && lives(o) && (want[o] & want[w]) &&
            number[o] < number[w] && !demoted[o] ->
            passed[o]++;
            assert(passed[o] <= MOST)
        :: else
        fi;
        o++
    :: else -> break
    od
}

inline take(w) {
    note_passes(w);
    assert(!(want[w] & 1) || holder[0] == NOBODY);
    assert(!(want[w] & 2) || holder[1] == NOBODY);
    if :: want[w] & 1 -> holder[0] = w :: else fi;
    if :: want[w] & 2 -> holder[1] = w :: else fi;
    lease[w] = 0; offer[w] = 0; missed[w] = 0;
    phase[w] = HOLDING
}

/* The end of an offer that nobody took up. */
inline miss(w) {
    offer[w] = 0;
    if
    :: missed[w] < PATIENCE -> missed[w]++
    :: else ->
        missed[w] = 0;
        demoted[w] = 1;
        place[w] = next;
        o = 0;
        do
        :: o < WAITERS ->
            if
            :: o != w && waits(o) && place[o] >= place[w] -> place[w] = place[o] + 1
            :: else
            fi;
            o++
        :: else -> break
        od
    fi
}

proctype Waiter(byte w) {
    byte round = 0, o;
    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
        atomic {
            round++;
            if :: want[w] = 1 :: want[w] = 2 :: want[w] = 3 fi;
            number[w] = next;
            place[w] = next;
#ifndef ONE_PRIORITY
            if
            :: skip
#ifdef BUG_NO_AGEING
            :: place[w] = LONG_AGO
#else
            :: place[w] = next - AGE
#endif
            fi;
#endif
            next++;
            lease[w] = 1; missed[w] = 0; passed[w] = 0; demoted[w] = 0;
            phase[w] = WAITING
        }
waiting:
        if
        /* A process that waits itself takes what is its turn. */
#ifdef BUG_ONE_AFTER_THE_OTHER
        :: atomic {
            phase[w] == WAITING && (want[w] & 1) && holder[0] == NOBODY && !ahead(w) ->
            holder[0] = w
           }
           if
           :: want[w] & 2 -> atomic { holder[1] == NOBODY -> holder[1] = w }
           :: else
           fi;
           phase[w] = HOLDING; lease[w] = 0; offer[w] = 0
        :: atomic {
            phase[w] == WAITING && (want[w] & 2) && holder[1] == NOBODY && !ahead(w) ->
            holder[1] = w
           }
           if
           :: want[w] & 1 -> atomic { holder[0] == NOBODY -> holder[0] = w }
           :: else
           fi;
           phase[w] = HOLDING; lease[w] = 0; offer[w] = 0
#else
        :: atomic { phase[w] == WAITING && turn(w) -> take(w) }
        /* A task without a worker gets an offer; from then on nobody keeps its lease. */
        :: atomic {
            phase[w] == WAITING && turn(w) ->
            offer[w] = 1; lease[w] = 0;
            phase[w] = COMING
           }
#endif
        :: atomic { phase[w] == WAITING && !lease[w] -> lease[w] = 1 }
           goto waiting
        :: phase[w] == DEAD ->
end_dead:
           atomic { back > 0 && phase[w] == DEAD -> back--; lease[w] = 1; phase[w] = WAITING }
           goto waiting
        fi;
        if
        :: atomic { phase[w] == COMING ->
            if
            :: turn(w) -> take(w)
            :: else -> lease[w] = 1; phase[w] = WAITING
            fi
           }
           if
           :: phase[w] == HOLDING
           :: else -> goto waiting
           fi
        :: phase[w] == DEAD ->
end_dead_coming:
           atomic { back > 0 && phase[w] == DEAD -> back--; lease[w] = 1; phase[w] = WAITING }
           goto waiting
        :: phase[w] == HOLDING
        fi;
        atomic {
            assert(!(want[w] & 1) || holder[0] == w);
            assert(!(want[w] & 2) || holder[1] == w);
            if :: holder[0] == w -> holder[0] = NOBODY :: else fi;
            if :: holder[1] == w -> holder[1] = NOBODY :: else fi;
            phase[w] = AWAY
        }
    od
}

/* Time, death and slowness of one waiter. */
proctype Fate(byte w) {
    byte o;
end:
    do
    :: atomic {
        deaths > 0 && (phase[w] == WAITING || phase[w] == COMING) ->
        deaths--;
        phase[w] = DEAD
       }
#ifndef BUG_DEAD_BLOCK
    :: atomic { phase[w] == DEAD && lease[w] -> lease[w] = 0 }
#endif
#ifndef BUG_OFFER_FOR_EVER
    :: atomic { phase[w] == DEAD && offer[w] -> miss(w) }
#endif
    :: atomic { lapses > 0 && phase[w] == WAITING && lease[w] -> lapses--; lease[w] = 0 }
    :: atomic { misses > 0 && offer[w] && phase[w] != DEAD -> misses--; miss(w) }
    od
}

init {
    atomic {
        byte n = 0;
        do
        :: n < WAITERS -> run Waiter(n); run Fate(n); n++
        :: else -> break
        od
    }
}

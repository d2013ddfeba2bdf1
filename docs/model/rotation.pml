/* Accounts that write in turn: who is refused after he lost his lock.

   Holders follow each other. One ends by himself (then he is done), or is taken over
   while he may be alive; a survivor may write at any time, or die. Before the next one
   holds, every account's right is taken away and confirmed, then his own is given.
   The claim: no survivor's write is accepted while somebody else holds.

   ACCOUNTS, HOLDERS, TAKEOVERS bound the search. RULE says which account is next:
   PARITY  the epoch modulo the accounts, one epoch for each holder;
   RESTORE the same, but a restore after a take-over has an epoch of its own, as in the
           code: the next holder is two epochs on;
   STALE   not one whose last holder was taken over, unless all were: then the oldest;
   PROVEN  one that no survivor has: wait for a proof of death. */

#define PARITY 0
#define RESTORE 1
#define STALE 2
#define PROVEN 3

byte account[HOLDERS];
bool alive[HOLDERS];
bool granted[ACCOUNTS];
byte stale[ACCOUNTS];   /* 0: no; else the number of the take-over */
byte now, epoch, overs, chosen, other, at;
bool is_free;

/* No account that a survivor has, or any if there are no rules about it. */
inline find_free() {
	chosen = ACCOUNTS; other = 0;
	do
	:: other < ACCOUNTS ->
		is_free = true; at = 0;
		do
		:: at <= now ->
			is_free = is_free && !(alive[at] && account[at] == other);
			at++
		:: else -> break
		od;
		if
		:: is_free && chosen == ACCOUNTS -> chosen = other
		:: else -> skip
		fi;
		other++
	:: else -> break
	od
}

inline find_unstale() {
	/* Alternate where both are good; else the one taken over longest ago. */
	chosen = (account[now] + 1) % ACCOUNTS; other = 0;
	do
	:: other < ACCOUNTS ->
		if
		:: stale[other] < stale[chosen] -> chosen = other
		:: else -> skip
		fi;
		other++
	:: else -> break
	od
}

inline next() {
#if RULE == PROVEN
	find_free();
#elif RULE == STALE
	find_unstale();
	stale[chosen] = 0;
#else
	chosen = epoch % ACCOUNTS;
#endif
	now++;
	account[now] = chosen;
	alive[now] = true;
	granted[chosen] = true
}

inline revoke() {
	at = 0;
	do
	:: at < ACCOUNTS -> granted[at] = false; at++
	:: else -> break
	od
}

active proctype world() {
	byte who;
	alive[0] = true; granted[0] = true;
end:	do
	/* A survivor writes. */
	:: atomic { select(who : 0 .. HOLDERS - 1);
		if
		:: who < now && alive[who] -> assert(!granted[account[who]])
		:: else -> skip
		fi }
	/* A survivor dies. */
	:: atomic { select(who : 0 .. HOLDERS - 1);
		if
		:: who < now && alive[who] -> alive[who] = false
		:: else -> skip
		fi }
	/* The holder ends by himself. */
	:: atomic { now + 1 < HOLDERS ->
		alive[now] = false; revoke(); epoch++; next() }
	/* The holder is taken over, and may be alive. */
	:: atomic { now + 1 < HOLDERS && overs < TAKEOVERS ->
		chosen = 0;
#if RULE == PROVEN
		find_free();
#endif
		if
		:: chosen == ACCOUNTS -> skip	/* it waits */
		:: else ->
			overs++; stale[account[now]] = overs; revoke(); epoch++;
#if RULE == RESTORE
			epoch++;
#endif
			next()
		fi }
	od
}

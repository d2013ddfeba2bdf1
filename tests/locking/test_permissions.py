"""Sets of rights: frozen, merged, compared; the protocol's laws for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_codebeamer.locking import Permissions, freeze, merge
from airflow_codebeamer.locking.permissions import (
    difference,
    rights_from_json,
    rights_to_json,
    spell,
)
from airflow_codebeamer.models import RolePermissions
from airflow_codebeamer.settings import READ_ONLY_PERMISSIONS

NAMES = {
    0: "issue_view_not_own",
    1: "issue_edit_not_own",
    2: "issue_view",
    3: "issue_add",
    8: "issue_history_view",
    99: "something_new",
    100: "",
}
rights = st.frozensets(st.sampled_from(sorted(NAMES)))


@given(rights)
@pytest.mark.trap("T30", "T33")
def test_freezing_only_takes_away_and_keeps_what_only_reads(before):
    after = freeze(before, NAMES, READ_ONLY_PERMISSIONS)
    assert after <= before
    assert after == before & {0, 2, 8}
    assert freeze(after, NAMES, READ_ONLY_PERMISSIONS) == after


def test_names_are_compared_without_case():
    assert freeze(frozenset({2}), {2: "Issue_View"}, {"ISSUE_VIEW"}) == {2}


@given(rights, rights)
def test_without_edits_the_merge_is_the_original(original, base):
    assert merge(original, base, base) == original


@given(rights)
def test_what_is_restored_already_stays(original):
    base = freeze(original, NAMES, READ_ONLY_PERMISSIONS)
    assert merge(original, base, original) == original


@given(rights, rights, rights)
def test_a_merge_neither_invents_nor_forgets(original, base, current):
    after = merge(original, base, current)
    assert original & current <= after <= original | current


@given(rights, rights, rights)
def test_a_merge_is_a_fixed_point(original, base, current):
    after = merge(original, base, current)
    assert merge(original, base, after) == after


@given(rights, rights, rights)
@pytest.mark.trap("T7")
def test_grants_and_revocations_of_others_survive(original, base, current):
    after = merge(original, base, current)
    assert current - base <= after
    assert not (base - current) & after


@given(rights, rights)
def test_a_difference_leads_from_one_to_the_other(before, after):
    found = difference(before, after)
    assert (before | found.added) - found.removed == after
    assert bool(found) == (before != after)


@given(rights)
def test_json_brings_rights_and_names_back(before):
    after, names = rights_from_json(rights_to_json(before, NAMES))
    assert after == before
    assert names == {right: NAMES[right] for right in before}


def test_spelling_is_for_people():
    assert spell(frozenset({3, 1, 100}), NAMES) == (
        "issue_add, issue_edit_not_own, right 100"
    )


def _answer(**roles: list[int]) -> Permissions:
    return Permissions.of(
        RolePermissions.model_validate(
            {
                "role": {"id": int(role[1:]), "name": role},
                "trackerPermissions": [{"id": one, "name": f"p{one}"} for one in ids],
            }
        )
        for role, ids in roles.items()
    )


def test_the_canonical_text_knows_no_order_and_no_empty_roles():
    first = _answer(r2=[3, 1], r10=[2], r3=[])
    second = _answer(r10=[2], r2=[1, 3])
    assert first.canonical() == second.canonical() == '{"2":[1,3],"10":[2]}'
    assert first.digest() == second.digest()
    assert first.digest() != _answer(r2=[1], r10=[2]).digest()


def test_a_role_that_is_not_listed_has_nothing():
    now = _answer(r2=[1])
    assert now.of_role(3) == frozenset()
    assert now.name_of(2) == "r2"
    assert now.name_of(3) == "role 3"

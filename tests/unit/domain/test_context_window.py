"""Which messages leave a full prompt."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.context_window import leaving, reply_reserve, staying
from app.domain.conversation import Message, Role
from app.domain.errors import ErrorCode, UserError

U, A, T = Role.USER, Role.ASSISTANT, Role.TOOL
ROLES = {"u": U, "a": A, "t": T, "U": U, "A": A, "T": T}


def chat(script: str) -> tuple[list[int], list[Message]]:
    """ "u40 A900" is a user's message of 40 tokens and a pinned answer of 900."""
    words = script.split()
    return [int(word[1:]) for word in words], [Message(ROLES[w[0]], pinned=w[0].isupper()) for w in words]


@pytest.mark.parametrize(
    ("room", "max_tokens", "reserve"),
    [
        (512, 0, 128),
        (8192, 0, 2048),
        (16_384, 0, 4096),
        (131_072, 0, 4096),
        (8192, 1, 1),
        (8192, 3000, 3000),
        (8192, 100_000, 4096),
    ],
)
def test_room_is_kept_for_the_answer(room: int, max_tokens: int, reserve: int) -> None:
    assert reply_reserve(room, max_tokens) == reserve


# A room of 1,600: 400 for the answer, steps of 400, up to 200 stay along, the answer keeps at least 100.
@pytest.mark.parametrize(
    ("script", "gone"),
    [
        ("", ()),
        ("u100", ()),
        ("u100 a500 u100 a300 u100", ()),  # 1,200 with the fixed ones: just what there is
        ("u100 a500 u100 a300 u101", (1,)),  # one more; the long answer to the first message does not stay along
        ("u100 a200 u100 a300 u100 a300 u101", (2, 3)),  # the short one does
        ("u100 a200 u100 a300 u100 a200 u100 a200 u101", (2, 3)),  # 200 too many, 400 leave: a whole step
        ("u100 a200 u100 a300 u100 a200 u100 a200 u50 a50 u100", (2, 3)),  # and 400 too many: the same cut
        ("u100 a200 u100 a300 u100 a200 u100 a200 u50 a50 u101", (2, 3, 4, 5, 6, 7)),  # 401: the next step
        ("u100 a200 u100 A300 u100 a400 u101", (4, 5)),  # pinned, and its short question along
        ("u100 a200 u300 A300 u100 a200 u101", (2, 4, 5)),  # its long one not
        ("u100 a200 U100 a300 u100 a300 u101", (3, 4, 5)),  # a pinned question loses its long answer
        ("u100 a200 U100 a150 u100 a350 u101", (4, 5)),  # and keeps its short one
        ("u100 a200 u100 a50 t300 a50 u100 a400 u101", (2, 3, 4, 5)),  # a finished tool loop leaves whole
        ("u100 a200 u100 a50 T300 a50 u100 a300 u101", (6, 7)),  # a pinned result keeps its call
        ("u100 a200 u100 a300 u100 a100 t300 a100 t300", (2, 3)),  # the unfinished one stays, however long
        ("u1000", ()),  # the answer's room shrinks for what cannot leave
        ("u400", ()),
        ("u700 a400 u600", (1,)),
        ("a300 u100 a300 u100 a400 u101", (0, 2)),  # what stands before the first message is not the first message
        ("a1300", ()),  # nobody asked: all of it is the last turn
        ("a100 t1300", ()),
        ("u100 a900 u100 a900 u100 a900 u1200", (1, 2, 3, 4, 5)),  # all that can leave is not a whole step's worth
        ("U100 a500 u101 A200 U500 a10 u101", (1,)),
    ],
)
def test_the_oldest_turns_leave(script: str, gone: tuple[int, ...]) -> None:
    assert leaving(100, *chat(script), 1600) == gone


def test_a_limit_for_the_answer_is_kept_free() -> None:
    sizes, messages = chat("u100 a200 u100 a300 u100 a200 u100")
    assert leaving(100, sizes, messages, 1600) == ()
    assert leaving(100, sizes, messages, 1600, max_tokens=400) == ()
    assert leaving(100, sizes, messages, 1600, max_tokens=401) == (2, 3)
    assert leaving(100, sizes, messages, 1600, max_tokens=1_000_000) == (2, 3)


@pytest.mark.parametrize(
    ("fixed", "script", "code", "values"),
    [
        (100, "u1401", ErrorCode.MESSAGE_TOO_LONG, {"tokens": "1401", "room": "1400"}),
        (100, "u100 a200 u1401", ErrorCode.MESSAGE_TOO_LONG, {"tokens": "1401", "room": "1400"}),
        (100, "u100 a1000 t301", ErrorCode.MESSAGE_TOO_LONG, {"tokens": "1401", "room": "1400"}),
        (100, "u900 a700 u501", ErrorCode.PINNED_TOO_LONG, {"tokens": "501", "kept": "900", "room": "500"}),
        (100, "u9 a9 U900 a9 A900 u1", ErrorCode.PINNED_TOO_LONG, {"tokens": "1", "kept": "1827", "room": "0"}),
        (1500, "u1", ErrorCode.INSTRUCTIONS_TOO_LONG, {"tokens": "1500", "room": "1600"}),
    ],
)
def test_what_can_never_fit_is_refused(fixed: int, script: str, code: ErrorCode, values: dict[str, str]) -> None:
    with pytest.raises(UserError) as refused:
        leaving(fixed, *chat(script), 1600)
    assert refused.value.code is code
    assert refused.value.values == values


@pytest.mark.parametrize(
    ("gone", "stayed"), [((), ()), ((1,), (0,)), ((0,), ()), ((2, 3, 6), (0, 1, 4, 5)), ((0, 1, 2), ())]
)
def test_what_stays_among_what_left_is_known(gone: tuple[int, ...], stayed: tuple[int, ...]) -> None:
    assert staying(gone) == stayed


def test_the_longest_message_that_is_let_through_fits() -> None:
    assert leaving(100, *chat("u1400"), 1600) == ()
    assert leaving(100, *chat("u900 a700 u500"), 1600) == (1,)


def test_an_answer_of_one_token_needs_room_for_one() -> None:
    assert leaving(100, *chat("u1499"), 1600, max_tokens=1) == ()
    with pytest.raises(UserError):
        leaving(100, *chat("u1500"), 1600, max_tokens=1)


@st.composite
def turns(draw: st.DrawFn) -> tuple[list[int], list[Message]]:
    """A turn: a question, and what was said and done about it."""
    roles = [U, *draw(st.lists(st.sampled_from((A, T)), min_size=1, max_size=4))]
    sizes = [draw(st.integers(1, 220)) for _ in roles]
    return sizes, [Message(role, pinned=draw(st.integers(0, 30)) == 0) for role in roles]


CHATS = st.lists(turns(), min_size=1, max_size=60)
ROOM = 4096


@given(CHATS, st.integers(0, 500), st.sampled_from((0, 10, 700, 10_000)))
def test_what_is_left_fits_and_what_must_stay_stays(
    chats: list[tuple[list[int], list[Message]]], fixed: int, max_tokens: int
) -> None:
    sizes = [size for turn in chats for size in turn[0]]
    messages = [message for turn in chats for message in turn[1]]
    kept = sum(sum(turn[0]) for turn in chats[1:-1] if any(message.pinned for message in turn[1]))
    assume(fixed + sum(chats[0][0]) + kept + sum(chats[-1][0]) < ROOM - ROOM // 16)
    gone = leaving(fixed, sizes, messages, ROOM, max_tokens)
    left = fixed + sum(sizes) - sum(sizes[place] for place in gone)
    budget = ROOM - reply_reserve(ROOM, max_tokens)
    starts = [place for place, message in enumerate(messages) if message.role is U]
    assert gone == tuple(sorted(gone))
    assert all(0 < place < starts[-1] and not messages[place].pinned for place in gone)
    if fixed + sum(sizes) <= budget:
        assert not gone
    assert left <= ROOM - 1
    # The oldest ones: what is between two that left and has not left has to stay, and so does its whole turn.
    for begin, end in pairwise(starts):
        places = range(begin, end)
        stayed = [place for place in places if place not in gone]
        if gone and end <= gone[-1] and stayed:
            assert begin == 0 or any(messages[place].pinned for place in places)
    if left > budget:
        rest = range(gone[-1] + 1 if gone else 0, starts[-1])
        held = [p for b, e in pairwise(starts) for p in range(b, e) if b in rest]
        assert all(any(messages[q].pinned or q == 0 for q in _turn(starts, p)) for p in held)


def _turn(starts: list[int], place: int) -> range:
    begin = max(start for start in starts if start <= place)
    return range(begin, next((start for start in starts if start > place), place + 1))


@given(CHATS, st.integers(0, 300))
def test_the_cut_only_moves_forward_and_seldom(chats: list[tuple[list[int], list[Message]]], fixed: int) -> None:
    """A chat that grows turn by turn: what left never comes back, and every step lasts for a quarter of the room."""
    step = ROOM // 4
    sizes: list[int] = []
    messages: list[Message] = []
    before: tuple[int, ...] = ()
    moves = 0
    for more, said in chats:
        stays = sum(size for size, m in zip(sizes, messages, strict=True) if m.pinned) + 9 * 220
        assume(fixed + stays < 3 * step)  # else nearly all leaves each time
        gone = leaving(fixed, [*sizes, more[0]], [*messages, said[0]], ROOM)
        assert set(before) <= set(gone)
        assert not gone or not before or min(gone) == min(before)
        moves += gone != before
        before = gone
        sizes += more
        messages += said
    grown = fixed + sum(sizes) - (ROOM - step)
    assert moves <= max(0, -(-grown // step))


def test_a_long_chat_is_read_anew_once_in_many_turns() -> None:
    """Turns of 40 and 400 tokens in a memory of 8,192: the beginning of the prompt stays for four or five of them."""
    sizes, messages = [40], [Message(U)]
    cuts: list[tuple[int, ...]] = []
    for _ in range(500):
        cuts.append(leaving(120, sizes, messages, 8192))
        sizes += [400, 40]
        messages += [Message(A), Message(U)]
    moves = sum(one != other for one, other in pairwise(cuts))
    assert 500 * 440 / 2048 - 5 < moves < 500 * 440 / 2048 + 1

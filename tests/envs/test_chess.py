"""Chess: the rules against published counts, the generator against brute force, files against fixtures."""

import csv
import importlib

import numpy as np
import pytest
import torch

from engram.envs.puzzles import chess
from engram.envs.puzzles.chess import csv_files
from engram.envs.puzzles.chess.env import BatchedChess, Chess
from engram.envs.puzzles.chess.generator import random_games, random_placements
from engram.envs.puzzles.chess.mates import (
    mates_in_two,
    mating_moves,
    unique_mate,
    unique_mate_in_two,
)
from engram.envs.puzzles.chess.moves import count_leaves, is_check, legal_moves, play
from engram.envs.puzzles.chess.position import LETTERS, START, read_fen, read_move, write_fen, write_move
from engram.envs.puzzles.chess.puzzle import check_orientation, encode, orient
from engram.envs.puzzles.chess.task import ChessTask, make_chess, problems_of

KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"
# chessprogramming.org, "Perft Results": the start, Kiwipete, and positions 3 to 6.
PERFT = {
    START: (20, 400, 8902, 197281),
    KIWIPETE: (48, 2039, 97862),
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1": (14, 191, 2812, 43238),
    "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1": (6, 264, 9467),
    "rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8": (44, 1486, 62379),
    "r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - - 0 10": (46, 2079, 89890),
}
FOOLS_MATE = chess.ChessPuzzle(
    "rnbqkbnr/pppp1ppp/8/4p3/8/5P2/PPPPP1PP/RNBQKBNR w KQkq - 0 2", "g2g4", "d8h4", 900
)
SCHOLARS_MATE = chess.ChessPuzzle(
    "r1bqkbnr/pppp1ppp/2n5/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR b KQkq - 3 3", "g8f6", "h5f7", 700
)
TWO_ROOKS = chess.ChessPuzzle("7k/8/8/8/8/8/R7/1R5K b - - 0 1", "h8g8", "b1b7", 1400)
ROWS = [FOOLS_MATE, SCHOLARS_MATE, TWO_ROOKS]


def mates_by_definition(position):
    """Moves that leave the other side in check and without a move."""
    after = [(move, play(position, move)) for move in legal_moves(position)]
    return [move for move, then in after if is_check(then.board, then.side) and not list(legal_moves(then))]


def mates_in_two_by_definition(position):
    """The same, two moves deep."""
    found = []
    for move in legal_moves(position):
        then = play(position, move)
        replies = [play(then, reply) for reply in legal_moves(then)]
        if replies and all(mates_by_definition(reply) for reply in replies):
            found.append(move)
    return found


def squares_of(moves):
    return {write_move(move)[:4] for move in moves}


# Rules


@pytest.mark.parametrize("fen", PERFT)
def test_as_many_ways_to_play_as_published(fen):
    position = read_fen(fen)
    assert [count_leaves(position, depth) for depth in range(1, len(PERFT[fen]) + 1)] == list(PERFT[fen])


@pytest.mark.parametrize("fen", [*PERFT, "8/8/8/8/8/2k5/8/K1b1B3 b - e3 12 34"])
def test_fen_there_and_back(fen):
    assert write_fen(read_fen(fen)) == fen


def test_fen_without_counters():
    assert write_fen(read_fen("7k/8/8/8/8/8/8/K7 w - -")) == "7k/8/8/8/8/8/8/K7 w - - 0 1"


@pytest.mark.parametrize(
    "fen",
    [
        "",
        "7k/8/8/8/8/8/8/K6 w - - 0 1",
        "7k/8/8/8/8/8/K7 w - - 0 1",
        "7k/8/8/8/8/8/8/KX6 w - - 0 1",
        "7k/8/8/8/8/8/8/KK6 w - - 0 1",
        "7k/8/8/8/8/8/8/K7 x - - 0 1",
        "7k/8/8/8/8/8/8/K7 w Z - 0 1",
        "7k/8/8/8/8/8/8/K7 w - e9 0 1",
        "7k/8/8/8/8/8/8/K7 w - - zero 1",
    ],
)
def test_what_is_no_fen_is_refused(fen):
    with pytest.raises(ValueError, match=r"FEN: .*; legal: as in"):
        read_fen(fen)


@pytest.mark.parametrize("text", ["", "e2", "e2e9", "e7e8k", "e7e8qq"])
def test_what_is_no_move_is_refused(text):
    with pytest.raises(ValueError, match=r"move: .*; legal: two squares"):
        read_move(text)


def test_moves_there_and_back():
    assert [write_move(read_move(text)) for text in ("e2e4", "a7a8n", "h2g1q")] == ["e2e4", "a7a8n", "h2g1q"]


@pytest.mark.parametrize(
    ("fen", "move", "after"),
    [
        (START, "e2e4", "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 1"),
        (START, "g1f3", "rnbqkbnr/pppppppp/8/8/8/5N2/PPPPPPPP/RNBQKB1R b KQkq - 1 1"),
        ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 3 9", "e1g1", "r3k2r/8/8/8/8/8/8/R4RK1 b kq - 4 9"),
        ("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 3 9", "e8c8", "2kr3r/8/8/8/8/8/8/R3K2R w KQ - 4 10"),
        ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 3 9", "a1a8", "R3k2r/8/8/8/8/8/8/4K2R b Kk - 0 9"),
        ("4k3/8/8/3Pp3/8/8/8/4K3 w - e6 0 5", "d5e6", "4k3/8/4P3/8/8/8/8/4K3 b - - 0 5"),
        ("4k3/8/8/8/8/8/p7/1N2K3 b - - 7 5", "a2b1r", "4k3/8/8/8/8/8/8/1r2K3 w - - 0 6"),
    ],
)
def test_the_position_after_a_move(fen, move, after):
    assert write_fen(play(read_fen(fen), read_move(move))) == after


# Mates


@pytest.mark.parametrize(
    ("fen", "mate"),
    [
        ("3r4/N4B2/8/5N1R/R3R3/5k2/8/R3K2R w KQ - 0 1", "e1g1"),  # the rook mates by castling
        ("8/8/5r2/1QPp1k2/3R4/QB4R1/8/7K w - d6 0 1", "c5d6"),  # en passant opens a line
        ("3r1Q2/6P1/7k/2n2Q2/1r6/8/3b1K2/b1b5 w - - 0 1", "g7g8n"),  # a knight, not a queen
        ("6k1/5ppp/8/8/8/8/8/K2R4 w - - 0 1", "d1d8"),
        ("6k1/5pp1/8/8/8/8/8/K2R4 w - - 0 1", None),
    ],
)
def test_the_only_mate_of_known_positions(fen, mate):
    position = read_fen(fen)
    assert mating_moves(position) == mates_by_definition(position)
    assert unique_mate(position) == (mate and read_move(mate))


def test_pieces_to_promote_to_do_not_tell_mates_apart():
    position = read_fen("7k/P7/6K1/8/8/8/8/8 w - - 0 1")
    assert squares_of(mating_moves(position)) == {"a7a8"}
    assert len(mating_moves(position)) == 2
    assert unique_mate(position) == read_move("a7a8q")


def test_two_mates_are_not_unique():
    position = read_fen("7k/R7/1R6/8/8/8/8/K7 w - - 0 1")
    assert squares_of(mating_moves(position)) == {"b6b8"}
    position = read_fen("7k/R7/1R6/1R6/8/8/8/K7 w - - 0 1")
    assert squares_of(mating_moves(position)) == {"b6b8"}
    position = read_fen("7k/R7/1RR5/8/8/8/8/K7 w - - 0 1")
    assert squares_of(mating_moves(position)) == {"b6b8", "c6c8"}
    assert unique_mate(position) is None


@pytest.mark.parametrize("leads", [random_placements, random_games])
def test_mates_are_those_by_definition(leads):
    rng, met = np.random.default_rng(0), 0
    for (before, lead), _ in zip(leads(rng), range(400), strict=False):
        position = play(before, lead)
        met += len(mating_moves(position))
        assert mating_moves(position) == mates_by_definition(position)
    assert met > 5


def test_mates_in_two_are_those_by_definition():
    met = 0
    for (before, lead), _ in zip(random_placements(np.random.default_rng(1)), range(25), strict=False):
        position = play(before, lead)
        expected = mates_in_two_by_definition(position)
        met += len(expected)
        assert mates_in_two(position) == expected
    assert met


def test_a_mate_in_one_is_no_puzzle_in_two():
    position = read_fen("5q2/8/8/4R2b/K1k5/3R3Q/8/8 w - - 0 1")
    assert unique_mate_in_two(position) == read_move("d3c3")
    position = read_fen("7k/1R6/R7/8/8/8/8/K7 w - - 0 1")
    assert unique_mate(position) == read_move("a6a8")
    assert mates_in_two(position)
    assert unique_mate_in_two(position) is None


# Generator


@pytest.mark.parametrize("level", ["few", "full"])
def test_generated_mates_in_one_have_one_solution(level):
    for puzzle in chess.generate(level, np.random.default_rng(0), 12):
        assert read_move(puzzle.lead) in legal_moves(read_fen(puzzle.fen))
        assert squares_of(mates_by_definition(puzzle.shown)) == {puzzle.solution[:4]}


def test_generated_mates_in_two_have_one_solution():
    for puzzle in chess.generate("two", np.random.default_rng(0), 3):
        assert mates_by_definition(puzzle.shown) == []
        assert squares_of(mates_in_two_by_definition(puzzle.shown)) == {puzzle.solution[:4]}


def test_levels_differ_in_men_and_rating():
    made = {
        level: problems_of(chess.generate(level, np.random.default_rng(3), 12)).facts
        for level in ("few", "full")
    }
    assert set(made["few"]["men"]) <= set(range(4, 10))  # the lead may capture
    assert made["full"]["men"].mean() > 14
    assert (made["few"]["rating"] < made["full"]["rating"]).all()
    assert 0 < made["few"]["white_to_move"].mean() < 1


def test_a_seed_decides_and_levels_are_checked():
    first, again, other = (chess.generate("few", np.random.default_rng(seed), 3) for seed in (5, 5, 6))
    assert first == again != other
    with pytest.raises(ValueError, match=r"level: unknown 'ful'; did you mean 'full'\?"):
        chess.generate("ful", np.random.default_rng(0), 1)
    with pytest.raises(ValueError, match="count: -1 is too small"):
        chess.generate("few", np.random.default_rng(0), -1)


# Arrays


def text_of(planes, white_to_move):
    """Placement part of the FEN that the planes show, by way of characters."""
    board = np.full((8, 8), ".")
    own, other = (LETTERS, LETTERS.lower()) if white_to_move else (LETTERS.lower(), LETTERS)
    for plane, letter in zip(planes, own + other, strict=True):
        board[plane == 1] = letter
    return board if white_to_move else board[::-1]


def test_planes_and_targets_of_hand_checked_puzzles():
    planes, targets, white_to_move = encode(ROWS)
    assert planes.shape == (3, 12, 8, 8)
    assert planes.dtype == np.uint8
    assert targets.dtype == np.int8
    assert white_to_move.tolist() == [False, True, True]
    # Fool's mate, seen from black's side: d8 is row 0, h4 row 4; files stay.
    assert np.flatnonzero(targets[0]).tolist() == [3, 8 * 4 + 7]
    assert planes[0, 0, 0, 4] == planes[0, 1, 0, 3] == 1  # own king e8, own queen d8
    assert planes[0, 6, 7, 4] == planes[0, 7, 7, 3] == 1  # white's
    assert planes[0, 5].nonzero()[1].tolist() == [0, 1, 2, 3, 5, 6, 7, 4]  # black's pawns, e7e5 last
    # Scholar's mate: h5 is row 4, f7 row 6.
    assert np.flatnonzero(targets[1]).tolist() == [8 * 4 + 7, 8 * 6 + 5]
    assert planes[1, 1].nonzero() == (4, 7)
    assert planes.sum(axis=(1, 2, 3)).tolist() == [32, 32, 4]


def test_planes_show_the_position():
    puzzles = [*ROWS, *chess.generate("full", np.random.default_rng(2), 4)]
    planes, targets, white_to_move = encode(puzzles)
    for puzzle, shown, target, white in zip(puzzles, planes, targets, white_to_move, strict=True):
        board = text_of(shown, white)
        ranks = write_fen(puzzle.shown).split()[0].split("/")
        for row, rank in zip(board[::-1], ranks, strict=True):
            expected = "".join("." * int(sign) if sign.isdigit() else sign for sign in rank)
            assert "".join(row) == expected
        chosen = {(square // 8, square % 8) for square in np.flatnonzero(target)}
        ends = [
            (int(text[1]) - 1, "abcdefgh".index(text[0]))
            for text in (puzzle.solution[:2], puzzle.solution[2:4])
        ]
        assert chosen == {(row if white else 7 - row, column) for row, column in ends}


def test_a_solution_with_the_wrong_piece_is_refused():
    with pytest.raises(ValueError, match="puzzle 1: of the two squares"):
        encode([FOOLS_MATE, SCHOLARS_MATE._replace(solution="a7a6")])
    with pytest.raises(ValueError, match="g1f3 moves no piece of the side to move"):
        encode([SCHOLARS_MATE._replace(lead="g1f3")])


def test_targets_that_lie_the_other_way_round_are_turned_over():
    planes, targets, _ = encode(ROWS)
    over = targets.reshape(-1, 8, 8)[:, ::-1].reshape(-1, 64)
    assert np.array_equal(orient(planes, targets), targets)
    assert np.array_equal(orient(planes, over), targets)
    with pytest.raises(ValueError, match="puzzle 0"):
        check_orientation(planes, over)
    with pytest.raises(ValueError, match="of the two squares"):
        orient(planes, np.roll(targets, 1, axis=1))


# Files


OLD = "00sHx,{fen},{moves},{rating},80,83,72,mate short,https://lichess.org/yyznGmXs/black#34\n"


def as_old_rows(puzzles, tail=""):
    """The form of 2021: no header, nine columns."""
    rows = (
        OLD.format(fen=puzzle.fen, moves=f"{puzzle.lead} {puzzle.solution} a7a6", rating=puzzle.rating)
        for puzzle in puzzles
    )
    return "".join(row.rstrip("\n") + tail + "\n" for row in rows)


HEADER = "PuzzleId,FEN,Moves,Rating,RatingDeviation,Popularity,NbPlays,Themes,GameUrl,OpeningTags\n"


def with_game_ids(puzzles):
    """The mirror's form: another column before the FEN, lists of themes."""
    lines = ["PuzzleId,GameId,FEN,Moves,Rating,RatingDeviation,Popularity,NbPlays,Themes,OpeningTags\n"]
    for puzzle in puzzles:
        themes = "\"['mate', 'short']\""
        lines.append(f"x,y,{puzzle.fen},{puzzle.lead} {puzzle.solution},{puzzle.rating},80,83,72,{themes},\n")
    return "".join(lines)


@pytest.mark.parametrize(
    "write",
    [
        as_old_rows,
        lambda puzzles: as_old_rows(puzzles, ",Kings_Pawn_Game"),
        lambda puzzles: HEADER + as_old_rows(puzzles, ","),
        lambda puzzles: HEADER.replace(",OpeningTags", "") + as_old_rows(puzzles),
        with_game_ids,
        lambda puzzles: with_game_ids(puzzles).split("\n", 1)[1],
    ],
    ids=["9", "10", "header 10", "header 9", "GameId", "GameId, no header"],
)
def test_every_release_of_the_file_is_read(tmp_path, write):
    path = tmp_path / "puzzles.csv"
    path.write_text(write(ROWS))
    assert chess.read_csv(path) == [SCHOLARS_MATE, FOOLS_MATE, TWO_ROOKS]  # by rating


def test_a_packed_file_is_read_over_all_of_its_frames(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "puzzles.csv.zst"
    pack = zstandard.ZstdCompressor().compress
    path.write_bytes(pack(as_old_rows(ROWS[:1]).encode()) + pack(as_old_rows(ROWS[1:]).encode()))
    assert chess.read_csv(path) == [SCHOLARS_MATE, FOOLS_MATE, TWO_ROOKS]


def test_without_a_decompressor_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    (tmp_path / "puzzles.csv.zst").write_bytes(b"")
    with pytest.raises(ImportError, match=r'pip install "engram\[zst\]"'):
        chess.read_csv(tmp_path / "puzzles.csv.zst")


def test_rows_of_one_rating_stay_in_order(tmp_path):
    path = tmp_path / "puzzles.csv"
    puzzles = [
        FOOLS_MATE._replace(rating=rating, lead=lead)
        for rating, lead in ((5, "g2g4"), (5, "a2a3"), (4, "b2b3"))
    ]
    path.write_text(as_old_rows(puzzles))
    assert chess.read_csv(path) == [puzzles[2], puzzles[0], puzzles[1]]
    assert chess.read_csv(path, 1, 2) == [puzzles[0]]
    assert chess.read_csv(path, 2, 9) == [puzzles[1]]


def test_written_files_are_read_back_and_look_like_lichesss(tmp_path):
    path = tmp_path / "own.csv"
    puzzles = chess.generate("few", np.random.default_rng(0), 4)
    chess.write_csv(path, puzzles)
    assert [puzzle._replace(theme="mateIn1") for puzzle in chess.read_csv(path)] == puzzles
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == csv_files.HEADER
    assert rows[0]["Themes"] == "mateIn1"
    assert len({row["PuzzleId"] for row in rows}) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with"),
        ("a,b,c\n", "begins with"),
        (HEADER + "x,7k/8/8/8/8/8/8/K7 w - -,a1a2 h8h7,many,1,1,1,t,u,\n", "puzzle 0: .* has no FEN"),
        (HEADER + "x,7k/8/8/8/8/8/8/K7 w - -\n", "puzzle 0: .* has no FEN"),
        (HEADER + "x,7k/8/8/8/8/8/8/K7 w - -,a1a2,900,1,1,1,t,u,\n", "puzzle 0: moves 'a1a2'; legal: two"),
    ],
)
def test_what_is_no_puzzle_file_is_refused(tmp_path, text, message):
    path = tmp_path / "puzzles.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"path: .*puzzles.csv.*{message}"):
        chess.read_csv(path)


def write_forty(path):
    """Forty puzzles that differ in their ratings only, in no order."""
    ratings = np.random.default_rng(0).permutation(40)
    chess.write_csv(path, (ROWS[rating % 3]._replace(rating=int(rating)) for rating in ratings))


def test_splits_of_a_file_go_by_rating(tmp_path):
    path = tmp_path / "puzzles.csv"
    write_forty(path)
    sizes = {"train": 20, "valid": 5, "test": 10}
    train, valid, test = (
        make_chess(split=split, split_sizes=sizes, path=path).problems.facts["rating"].tolist()
        for split in ("train", "valid", "test")
    )
    assert (len(train), len(valid)) == (20, 5)
    assert sorted(train + valid) == list(range(25))
    assert test == list(range(25, 35))
    other = make_chess(split="train", split_sizes=sizes, path=path, data_seed=1).problems.facts["rating"]
    assert set(train) != set(other.tolist())


def test_a_file_that_is_too_small_is_refused(tmp_path):
    path = tmp_path / "puzzles.csv"
    write_forty(path)
    with pytest.raises(ValueError, match=r"split_sizes: .*'train': 480000.* need 600000 .*; path holds 40"):
        make_chess(split="train", path=path)
    sizes = {"train": 30, "valid": 5, "test": 10}
    with pytest.raises(ValueError, match="need 45 puzzles for 'test'; path holds 40"):
        make_chess(split="test", split_sizes=sizes, path=path)
    with pytest.raises(ValueError, match=r"need 700000 puzzles for 'test'; path holds at most 600000"):
        make_chess(split="test", path=path)
    with pytest.raises(
        ValueError, match="'online' does not read files; with path, legal: train, valid, test"
    ):
        make_chess(path=path)
    with pytest.raises(ValueError, match=r"path: there is no .*none\.csv"):
        make_chess(split="train", path=tmp_path / "none.csv")


@pytest.mark.parametrize(("answers", "turned"), [("targets.pth", False), ("segm.pth", True)])
def test_published_tensors_are_read(tmp_path, answers, turned):
    planes, targets, _ = encode(ROWS * 4)
    boards = torch.from_numpy(targets.reshape(-1, 8, 8).astype(np.int64))
    torch.save(torch.from_numpy(planes.astype(np.float32)), tmp_path / "data.pth")
    torch.save(boards.flip(1) if turned else boards, tmp_path / answers)
    sizes = {"train": 6, "valid": 2, "test": 4}
    held = make_chess(split="test", split_sizes=sizes, path=tmp_path).problems
    assert held.observations.dtype == np.uint8
    assert np.array_equal(held.observations, planes[8:])
    assert np.array_equal(held.targets, targets[8:])
    assert held.facts["men"].tolist() == [4, 32, 32, 4]
    torch.save(boards[:3], tmp_path / answers)
    with pytest.raises(ValueError, match=r"holds \(12, 12, 8, 8\) and \(3, 8, 8\); expected"):
        make_chess(split="train", split_sizes={"train": 8, "valid": 4}, path=tmp_path)


# Environments


def test_both_squares_must_be_right():
    envs = BatchedChess(3)
    _, info = envs.reset(seed=0)
    answers = info["target"].copy()
    answers[1, answers[1].argmax()] = 0
    answers[2] = 0
    _, rewards, ended, _, info = envs.step(answers)
    assert rewards.tolist() == [1, 0, 0]
    assert ended.all()
    assert info["final_info"]["success"].tolist() == [True, False, False]


def test_the_share_of_right_squares_is_paid():
    env = Chess(reward="fraction")
    _, info = env.reset(seed=0)
    assert env.step(np.zeros(64, np.int8))[1] == pytest.approx(62 / 64)
    _, info = env.reset()
    assert env.step(info["target"])[1] == 1


def test_generated_sets_are_fixed_and_apart():
    sizes = {"train": 6, "valid": 6, "test": 6}
    held = {
        split: make_chess(split=split, split_sizes=sizes).problems.observations
        for split in ("train", "valid", "test")
    }
    assert np.array_equal(held["train"], make_chess(split="train", split_sizes=sizes).problems.observations)
    boards = np.concatenate([each.reshape(6, -1) for each in held.values()])
    assert len(np.unique(boards, axis=0)) == 18
    seeded = make_chess(split="train", split_sizes=sizes, data_seed=1).problems.observations
    assert not np.array_equal(held["train"], seeded)


def test_a_picture_shows_rank_one_below():
    planes, _, _ = encode([TWO_ROOKS])
    picture = ChessTask().picture(planes[0])
    assert picture.shape == (64, 64, 3)
    green, red = picture[4::8, 4::8, 1], picture[4::8, 4::8, 0]
    assert green[7, 7] == green.max() == 255  # white's king on h1
    assert red[0, 6] == red.max() == 255  # black's on g8
    assert (
        picture[60, 20].tolist() == picture[60, 36].tolist() != picture[60, 28].tolist()
    )  # squares alternate

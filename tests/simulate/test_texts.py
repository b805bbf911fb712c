import json

import numpy as np

from workbench.simulate.texts import KINDS, LOST, SCORES, WON, texts

POOL = texts()


def test_texts_are_safe_inside_json():
    for text in POOL.text.to_pylist():
        assert json.loads(f'"{text}"') == text


def test_what_is_drawn_has_the_tone_and_score_that_was_asked_for():
    rng = np.random.default_rng(1)
    kind = np.tile(np.arange(KINDS), 60)
    drawn = POOL.draw(rng, np.repeat([0, 1, 2], len(kind) // 3), kind)
    plain = kind < WON
    assert (POOL.tone[drawn[plain]] == kind[plain]).all()
    assert (POOL.score[drawn[plain]] == np.array(SCORES)[kind[plain]]).all()
    assert (POOL.score[drawn[kind == WON]] > 0).all()
    assert (POOL.score[drawn[kind == LOST]] < 0).all()


def test_languages_do_not_mix():
    rng = np.random.default_rng(1)
    kind = np.zeros(200, dtype=int)
    seen = [set(POOL.draw(rng, np.full(200, language), kind)) for language in range(3)]
    assert seen[0].isdisjoint(seen[1])
    assert seen[1].isdisjoint(seen[2])

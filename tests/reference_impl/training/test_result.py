from reference_impl.training.result import Progress, seconds_to_loss


def point(step: int, validation_loss: float | None) -> Progress:
    return Progress(step, 10, step * 100, 2.0, 1e-3, tokens_per_second=50.0, validation_loss=validation_loss)


CURVE = [point(1, None), point(2, 3.0), point(3, None), point(4, 2.0), point(6, 2.5), point(8, 1.5)]


def test_it_is_the_time_of_the_first_validation_that_is_low_enough() -> None:
    assert seconds_to_loss(CURVE, 3.5) == 4.0
    assert seconds_to_loss(CURVE, 2.0) == 8.0
    assert seconds_to_loss(CURVE, 1.9) == 16.0


def test_what_was_never_reached_has_no_time() -> None:
    assert seconds_to_loss(CURVE, 1.4) is None
    assert seconds_to_loss([], 9.0) is None

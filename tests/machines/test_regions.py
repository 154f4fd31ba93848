"""The interval map against a page-by-page model."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from metaphrase.machines.linux.regions import Region, RegionMap

PAGES = 24
operations = st.lists(
    st.tuples(
        st.sampled_from(["insert", "remove", "protect"]),
        st.integers(0, PAGES - 1),
        st.integers(1, 8),
        st.integers(0, 7),
        st.sampled_from([("", False, 0), ("shared", True, 0), ("file", False, 7)]),
    ),
    max_size=30,
)


@given(operations, st.integers(1, 6))
def test_behaves_like_a_list_of_pages(steps: list, size: int) -> None:
    regions = RegionMap()
    model: dict[int, tuple] = {}
    for kind, start, length, protection, (name, shared, inode) in steps:
        end = min(start + length, PAGES)
        if kind == "insert":
            regions.insert(Region(start, end, protection, shared, name, offset=100 + start, inode=inode))
            model.update(
                {page: (protection, shared, name, 100 + page if inode else None) for page in range(start, end)}
            )
        elif kind == "remove":
            regions.remove(start, end)
            for page in range(start, end):
                model.pop(page, None)
        else:
            regions.protect(start, end, protection)
            model.update({page: (protection, *model[page][1:]) for page in range(start, end) if page in model})
    listed = list(regions)
    assert all(a.end <= b.start for a, b in itertools.pairwise(listed))
    assert not any(a.continues(b) for a, b in itertools.pairwise(listed)), "neighbours that belong together are one"
    found = {}
    for region in listed:
        for page in range(region.start, region.end):
            offset = region.offset + page - region.start if region.inode else None
            found[page] = (region.protection, region.shared, region.name, offset)
    assert found == model
    for start in range(PAGES):
        extent = 0
        while start + extent in model and model[start + extent][0] & 1:
            extent += 1
        assert regions.extent(start, 1) == extent
        assert (regions.find(start) is not None) == (start in model)
        end = min(start + size, PAGES)
        assert regions.covered(start, end) == all(page in model for page in range(start, end))
    free = [p for p in range(PAGES - size + 1) if not any(q in model for q in range(p, p + size))]
    assert regions.gap_below(PAGES, size, 0) == (max(free) if free else None)
    assert regions.gap_above(0, size, PAGES) == (min(free) if free else None)

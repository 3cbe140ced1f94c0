"""Where the methods come from: what each engine's section cites."""

from __future__ import annotations

from collections.abc import Mapping

_SCR = (
    ("Borchers, D. L. & Efford, M. G. (2008). Spatially explicit maximum likelihood methods for capture-recapture "
     "studies. Biometrics 64, 377-385."),
    ("Efford, M. G., Borchers, D. L. & Mowat, G. (2013). Varying effort in capture-recapture studies. "
     "Methods in Ecology and Evolution 4, 629-636."),
    ("Efford, M. G. & Fewster, R. M. (2013). Estimating population size by spatially explicit capture-recapture. "
     "Oikos 122, 918-928."),
    ("Burnham, K. P., Anderson, D. R., White, G. C., Brownie, C. & Pollock, K. H. (1987). Design and analysis "
     "methods for fish survival experiments based on release-recapture. American Fisheries Society Monograph 5."),
)  # fmt: skip
_MINIMUM = (
    ("Johansson, O., Samelius, G., Wikberg, E., Chapron, G., Mishra, C. & Low, M. (2020). Identification errors in "
     "camera-trap studies result in systematic population overestimation. Scientific Reports 10, 6393."),
)  # fmt: skip
_RATES = (
    ("Sollmann, R., Mohamed, A., Samejima, H. & Wilting, A. (2013). Risky business or simple solution: relative "
     "abundance indices from camera-trapping. Biological Conservation 159, 405-412."),
)  # fmt: skip
CITATIONS: Mapping[str, tuple[str, ...]] = {
    "population.scr": _SCR,
    "population.minimum": _MINIMUM,
    "population.rates": _RATES,
}

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
_CLOSED = (
    ("Otis, D. L., Burnham, K. P., White, G. C. & Anderson, D. R. (1978). Statistical inference from capture data on "
     "closed animal populations. Wildlife Monographs 62."),
    ("Chao, A. (1987). Estimating the population size for capture-recapture data with unequal catchability. "
     "Biometrics 43, 783-791."),
    ("Rivest, L.-P. & Baillargeon, S. (2007). Applications and extensions of Chao's moment estimator for the size of "
     "a closed population. Biometrics 63, 999-1006."),
)  # fmt: skip
_OCCUPANCY = (
    ("MacKenzie, D. I., Nichols, J. D., Lachman, G. B., Droege, S., Royle, J. A. & Langtimm, C. A. (2002). Estimating "
     "site occupancy rates when detection probabilities are less than one. Ecology 83, 2248-2255."),
    ("Hines, J. E., Nichols, J. D., Royle, J. A., MacKenzie, D. I., Gopalaswamy, A. M., Kumar, N. S. & Karanth, K. U. "
     "(2010). Tigers on trails: occupancy modeling for cluster sampling. Ecological Applications 20, 1456-1466."),
)  # fmt: skip
_OPEN = (
    ("Efford, M. G. & Schofield, M. R. (2020). A spatial open-population capture-recapture model. "
     "Biometrics 76, 392-402."),
    ("Glennie, R., Borchers, D. L., Murchie, M., Harmsen, B. J. & Foster, R. J. (2019). Open population maximum "
     "likelihood spatial capture-recapture. Biometrics 75, 1345-1355."),
)  # fmt: skip
_PERMEABILITY = (
    ("Royle, J. A., Chandler, R. B., Gazenski, K. D. & Graves, T. A. (2013). Spatial capture-recapture models for "
     "jointly estimating population density and landscape connectivity. Ecology 94, 287-294."),
    ("Self, S. G. & Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood estimators and likelihood ratio "
     "tests under nonstandard conditions. Journal of the American Statistical Association 82, 605-610."),
    *_SCR,
)  # fmt: skip
_TREND = (
    ("van Strien, A. J., Pannekoek, J. & Gibbons, D. W. (2001). Indexing European bird population trends using results "
     "of national monitoring schemes: a trial of a new method. Bird Study 48, 200-213."),
    ("Pannekoek, J. & van Strien, A. J. (2005). TRIM 3 manual. Statistics Netherlands."),
)  # fmt: skip
_DOUBT = (
    ("Rubin, D. B. (1987). Multiple imputation for nonresponse in surveys. Wiley."),
    *_SCR,
)  # fmt: skip
CITATIONS: Mapping[str, tuple[str, ...]] = {
    "population.closed": _CLOSED,
    "population.doubt": _DOUBT,
    "population.occupancy": _OCCUPANCY,
    "population.open": _OPEN,
    "population.permeability": _PERMEABILITY,
    "population.trend": _TREND,
    "population.scr": _SCR,
    "population.minimum": _MINIMUM,
    "population.rates": _RATES,
}

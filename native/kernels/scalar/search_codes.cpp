// The search for codes as scalar code.
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"

#include "kernels/generic/search_codes.h"

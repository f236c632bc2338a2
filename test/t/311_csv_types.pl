# Values of the built-in types, with rows sent as CSV: the same test as 100_types.pl.

use strict;
use warnings;

use FindBin;

use dbmazz::Stream;

$ENV{DBMAZZ_TEST_FORMAT} = 'csv';
my $result = do "$FindBin::RealBin/100_types.pl";
die $@ || "could not read 100_types.pl: $!" unless defined $result;

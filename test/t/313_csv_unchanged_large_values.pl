# Partial updates, with rows sent as CSV: the same test as 020_unchanged_large_values.pl.

use strict;
use warnings;

use FindBin;

use dbmazz::Stream;

$ENV{DBMAZZ_TEST_FORMAT} = 'csv';
my $result = do "$FindBin::RealBin/020_unchanged_large_values.pl";
die $@ || "could not read 020_unchanged_large_values.pl: $!" unless defined $result;

# Mixed changes, with rows sent as CSV: the same test as 010_mixed_changes.pl.

use strict;
use warnings;

use FindBin;

use dbmazz::Stream;

$ENV{DBMAZZ_TEST_FORMAT} = 'csv';
my $result = do "$FindBin::RealBin/010_mixed_changes.pl";
die $@ || "could not read 010_mixed_changes.pl: $!" unless defined $result;

# Rows that are read again, while other rows are sent as CSV: the same test as
# 021_rows_read_again.pl.

use strict;
use warnings;

use FindBin;

use dbmazz::Stream;

$ENV{DBMAZZ_TEST_FORMAT} = 'csv';
my $result = do "$FindBin::RealBin/021_rows_read_again.pl";
die $@ || "could not read 021_rows_read_again.pl: $!" unless defined $result;

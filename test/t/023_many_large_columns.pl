# Large values that are left alone in any of very many columns: none gets lost, be it
# behind the place where a map of 64 or 128 bits ends.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my $ncolumns = 140;
my @large = (0, 1, 31, 32, 62 .. 66, 126 .. 130, $ncolumns - 1);
my %is_large = map { $_ => 1 } @large;
my @columns = map { "c$_ text" } 0 .. $ncolumns - 1;

my ($node, $target) = start_stream(
	sql => sprintf(<<~'SQL', join(', ', @columns), join(', ', map { "ALTER c$_ SET STORAGE EXTERNAL" } @large)),
		CREATE TABLE wide (id int PRIMARY KEY, %s);
		ALTER TABLE wide %s;
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS $$SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 80) k$$;
		SQL
	tables => ['wide'],
	settings => ['flush_interval=50ms']);

my $values = join ', ', map { $is_large{$_} ? "large(i * 1000 + $_)" : "'v$_'" } 0 .. $ncolumns - 1;
query($node, "INSERT INTO wide SELECT i, $values FROM generate_series(1, 20) i");
same_rows($node, $target, 'wide');

# Each large column in turn gets a new value, and all others are left alone.
for my $i (0 .. $#large)
{
	my $id = 1 + $i % 20;
	query($node, "UPDATE wide SET c$large[$i] = large(-$i) WHERE id = $id");
	query($node, "UPDATE wide SET c2 = 'small $i', c$large[-1 - $i] = 'not large' WHERE id = $id");
}
same_rows($node, $target, 'wide');

# In one batch: full rows, and rows that leave different columns alone.
query($node, <<~SQL);
	BEGIN;
	UPDATE wide SET c3 = 'all are left alone';
	UPDATE wide SET c64 = NULL, c129 = '' WHERE id % 3 = 0;
	UPDATE wide SET c65 = large(id) WHERE id % 3 = 1;
	INSERT INTO wide SELECT i, $values FROM generate_series(21, 25) i;
	UPDATE wide SET c130 = c128 WHERE id % 2 = 0;
	UPDATE wide SET id = id + 100 WHERE id % 5 = 0;
	DELETE FROM wide WHERE id = 7;
	COMMIT;
	SQL
same_rows($node, $target, 'wide');
is($target->sql('SELECT count(*) FROM wide WHERE c64 IS NULL', 'shop'),
	query($node, 'SELECT count(*) FROM wide WHERE c64 IS NULL'), 'NULL is where it was set, and nowhere else');

$node->stop;
done_testing();

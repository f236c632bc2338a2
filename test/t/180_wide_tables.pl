# A table with as many columns, and names as long, as PostgreSQL allows.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my @types = ('smallint', 'boolean', 'varchar(9)', 'numeric(4,1)', 'bytea');
my @values = ('i', 'i % 2 = 0', q('v' || i), 'i / 4.0', q(decode(lpad(to_hex(i), 4, '0'), 'hex')));

# 1600 with the key and the large text; all names have 63 bytes
my @names = map { sprintf 'ü"%056d_%03d', $_, $_ % 1000 } 3 .. 1600;
my $columns = join ', ', map { sprintf '"%s" %s', $names[$_] =~ s/"/""/gr, $types[ $_ % @types ] } 0 .. $#names;
my $values = join ', ', map { $values[ $_ % @values ] } 0 .. $#names;
my $last = '"' . $names[-1] =~ s/"/""/gr . '"';
my $bytes = '"' . $names[4] =~ s/"/""/gr . '"';

my ($node, $target) = start_stream(
	sql => "CREATE TABLE wide (id int PRIMARY KEY, large text, $columns)",
	tables => ['wide'],
	settings => [ 'flush_interval=0', 'pipeline_buffer_size=16MB' ]);

is(query($node, q(SELECT count(*) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 0)), 1600,
	'a table with 1600 columns');

my $round = 0;

sub changes
{
	my $first = 100 * $round++;
	return query($node, <<~"SQL");
		INSERT INTO wide SELECT $first + i, NULL, $values FROM generate_series(1, 15) i;
		INSERT INTO wide SELECT $first + 50 + i,
			(SELECT string_agg(md5(g::text || i), '') FROM generate_series(1, 400) g), $values FROM generate_series(1, 5) i;
		UPDATE wide SET $last = NULL WHERE id % 3 = 0;
		UPDATE wide SET $bytes = '\\x00ff' WHERE id % 2 = 0;
		UPDATE wide SET id = id + 5000 WHERE id % 7 = 0;
		DELETE FROM wide WHERE id % 5 = 0;
		SQL
}

changes();
same_rows($node, $target, 'wide');

restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_format=csv}')));
});
changes();
same_rows($node, $target, 'wide');

# Audit columns come on top.
$target->sql("ALTER TABLE wide ADD COLUMN $_", 'shop') for
	'dbmazz_op_type TINYINT', 'dbmazz_is_deleted BOOLEAN', 'dbmazz_synced_at DATETIME', 'dbmazz_cdc_version BIGINT';
restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_format=json,audit_columns=on}')));
});
changes();
same_rows($node, $target, 'wide');
is($target->sql('SELECT count(*) FROM wide WHERE id BETWEEN 200 AND 300 AND dbmazz_op_type IS NULL', 'shop'), 0,
	'audit columns behind 1600 others');

is(stopped_tables($node), '', 'no table has stopped');

done_testing();

# Rows sent as CSV: its form, values that it cannot carry, and changing to it.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE notes (id text PRIMARY KEY, amount numeric(10,2) NOT NULL, day date NOT NULL,
			at timestamp NOT NULL, done bool NOT NULL, photo bytea NOT NULL, note text, large text);
		ALTER TABLE notes ALTER large SET STORAGE EXTERNAL;
		CREATE TABLE docs (id int PRIMARY KEY, doc jsonb, note text);
		SQL
	tables => [qw(notes docs)],
	settings => [qw(flush_interval=0 starrocks_format=csv)]);

my @tables = qw(notes docs);

# The headers "format" of the loads of a table, in order.

sub formats
{
	my ($table) = @_;
	return join ' ', map { $_->{headers}{format} }
	  grep { $_->{outcome} eq 'Success' } $target->loads(stage => 'be', table => $table);
}

# In one transaction, so that it is one batch or one for each form.
sub change
{
	my ($sql) = @_;
	arrived($node);
	$target->clear_loads;
	query($node, "BEGIN; $sql; COMMIT");
	same_rows($node, $target, @tables);
	return formats('notes');
}

is(query($node, 'SELECT encoding FROM dbmazz.pipelines'), 'csv', 'the view shows the form');

my $values = q(1.5, '2024-02-29', '2024-02-29 12:34:56.789', true, '\x00ff');
is(change(qq(INSERT INTO notes VALUES ('a', $values, 'plain'), ('', $values, ''), ('null', $values, NULL),
		('"', $values, E'"quo""ted", \\n,\\r\\n\\t'' and \\\\'), (E'\\\\n', $values, E'\\\\N '))),
	'csv', 'texts of all kinds are CSV');
my ($load) = $target->loads(stage => 'be', table => 'notes');
is($load->{headers}{columns},
	"`id`,`amount`,`day`,`at`,`done`,`photo`,`note`,`large`,__op,`photo`=to_binary(`photo`,'hex')",
	'the columns of its lines');
is($load->{headers}{strip_outer_array}, undef, 'no header of JSON');
is(change(q(INSERT INTO docs VALUES (1, '{"a": ["b", 1]}', 'x'))), '', 'a table with a document');
is(formats('docs'), 'json', 'goes as JSON');

# ---- what CSV cannot carry -------------------------------------------------------

is(change(qq(INSERT INTO notes VALUES ('b', $values, '\\N'))), 'json', 'the text \N goes as JSON');
is($target->sql(q(SELECT note FROM notes WHERE id = 'b'), 'shop'), '\N', 'and stays what it is');
is(change(qq(INSERT INTO notes SELECT 'c' || i, $values, CASE WHEN i % 10 = 0 THEN '\\N' END
		FROM generate_series(1, 1000) i)), 'json csv', 'rows of both kinds are two loads, not many');
is(change(q(UPDATE notes SET note = '\N' WHERE id = 'c1'; UPDATE notes SET note = 'last' WHERE id = 'c1')),
	'json csv', 'a key: first JSON, then CSV');
is(change(q(UPDATE notes SET note = 'x' WHERE id = 'c2'; UPDATE notes SET note = '\N' WHERE id = 'c2')),
	'csv json', 'a key: first CSV, then JSON');
is(change(q(UPDATE notes SET note = 'x' WHERE id = 'c3'; UPDATE notes SET note = '\N' WHERE id = 'c3';
		DELETE FROM notes WHERE id = 'c3'; UPDATE notes SET note = '\N' WHERE id = 'c4';
		UPDATE notes SET note = 'last' WHERE id = 'c4')), 'csv json csv', 'keys in turns');
is(change(qq(INSERT INTO notes VALUES ('\\N', $values))), 'json', 'a key that is \N');
is(change(q(UPDATE notes SET note = 'changed' WHERE id = '\N')), 'json', 'its update');
is(change(q(DELETE FROM notes WHERE id = '\N')), 'json', 'its delete');

# partial updates, of both kinds, mixed with full rows of the same keys
change(qq(INSERT INTO notes SELECT 'p' || i, $values, 'x', repeat('0123456789"', 1000) FROM generate_series(1, 20) i));
change(q(UPDATE notes SET note = '\N' WHERE id IN ('p1', 'p2'); UPDATE notes SET note = 'y' WHERE id ~ '^p[2-5]$';
	UPDATE notes SET large = 'short' WHERE id = 'p5'; UPDATE notes SET note = '\N' WHERE id ~ '^p[4-6]$';
	UPDATE notes SET note = 'z' WHERE id ~ '^p[67]$'; UPDATE notes SET large = '\N' WHERE id = 'p7';
	UPDATE notes SET note = 'end' WHERE id = 'p7'));
change(q(UPDATE notes SET amount = amount + 1 WHERE id ~ '^p'));

# deletes need values for all columns that are NOT NULL
is(change(q(DELETE FROM notes WHERE id ~ '^c[0-9]*5$'; UPDATE notes SET note = '"' WHERE id = 'c6')),
	'csv', 'deletes and updates');
ok(query($node, q(SELECT count(*) FROM notes WHERE id ~ '^c[0-9]*5$')) eq '0', 'the rows are gone');

# ---- compressed -----------------------------------------------------------------

for my $method (qw(gzip zstd lz4))
{
	restart_stream($node, sub {
		query($node, "SELECT dbmazz.alter_pipeline('shop',
			settings => '{flush_interval=0,starrocks_format=csv,starrocks_compression=$method}')");
	});
	is(change(qq(INSERT INTO notes SELECT '$method' || i, $values, repeat('"', i % 90) FROM generate_series(1, 2000) i)),
		$method, "CSV compressed by $method");
}

# ---- changing the form ------------------------------------------------------------

my ($ret, $out, $err) = $node->psql('postgres',
	q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_format=json}')));
like($err, qr/cannot change the format of the rows of pipeline "shop" while it is running/,
	'not while the pipeline is running');
restart_stream($node, sub {
	query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=0,starrocks_format=json}')));
});
is(query($node, 'SELECT encoding FROM dbmazz.pipelines'), 'json', 'changed while it was stopped');
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_compression=none}')));
ok($target->wait_until('uncompressed loads', sub {
	return change(q(UPDATE notes SET amount = amount + 1 WHERE id = 'a')) =~ /json/;
}) // 1, 'rows are JSON again');

($ret, $out, $err) = $node->psql('postgres',
	q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_format=xml}')));
like($err, qr/invalid value.*starrocks_format/, 'no other form');

is(stopped_tables($node), '', 'no table has stopped');
is(scalar(grep { $_->{outcome} ne 'Success' } $target->loads(stage => 'be')), 0, 'no load failed');
$node->stop;
done_testing();

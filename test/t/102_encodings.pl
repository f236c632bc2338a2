# Databases of several encodings in one server: names and values arrive as UTF-8,
# and bytes that are no characters follow dbmazz.unrepresentable.

use strict;
use warnings;

use Test::More;

use dbmazz::Compare;
use dbmazz::Node;
use dbmazz::Sandbox;

# What psql reads and writes; a database with SQL_ASCII converts nothing.
$ENV{PGCLIENTENCODING} = 'UTF8';

# A letter that the encoding has, one that needs more bytes in UTF-8, and bytes
# (in hexadecimal) that it takes but Unicode has no character for.
my %encodings = (
	latin1 => { name => 'LATIN1', letter => 'é', other => 'ß' },
	win1252 => { name => 'WIN1252', letter => 'é', other => '€', bad => '81' },
	euc_jp => { name => 'EUC_JP', letter => '語', other => '日本', bad => 'a9a1' },
	sql_ascii => { name => 'SQL_ASCII', letter => 'é', other => '日本', bad => 'e9' },
	utf8 => { name => 'UTF8', letter => 'é', other => '日本' });

my $target = dbmazz::Sandbox->new;
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
	conf => "dbmazz.checkpoint_interval = 100\ndbmazz.flush_interval = 0\n"
	  . "dbmazz.pipeline_buffer_size = 8MB\ndbmazz.buffer_size = 64MB\n");

sub run_sql
{
	my ($database, $sql) = @_;
	return $node->safe_psql($database, $sql);
}

# The text of some bytes, as the database takes it.
sub bytes
{
	my ($hex) = @_;
	return "convert_from('\\x$hex', getdatabaseencoding())" unless $hex eq 'e9';
	return "E'\\xe9'";
}

for my $database (sort keys %encodings)
{
	my ($letter, $other) = @{ $encodings{$database} }{qw(letter other)};
	$node->safe_psql('postgres', <<~"SQL");
		CREATE DATABASE $database TEMPLATE template0 ENCODING '$encodings{$database}{name}' LOCALE 'C'
		SQL
	run_sql($database, <<~"SQL");
		CREATE EXTENSION dbmazz;
		CREATE TYPE mood AS ENUM ('$letter', '$other "x"');
		CREATE TABLE "t$letter" (id int, k text, "c $letter$other" text, v varchar(20), a text[], j json, jb jsonb,
			m mood, c char(3), n name, x text, big text, b bytea, one "char", PRIMARY KEY (id, k));
		-- updates of its key leave it out, and the row is read again
		ALTER TABLE "t$letter" ALTER big SET STORAGE EXTERNAL;
		CREATE TABLE bad (id int PRIMARY KEY, k text, nn text NOT NULL DEFAULT '', t text, j json);
		CREATE TABLE old (id int PRIMARY KEY, t text, u text);
		ALTER TABLE old REPLICA IDENTITY FULL;
		CREATE TABLE keys (k text PRIMARY KEY, v int);
		CREATE PUBLICATION p FOR TABLE "t$letter", bad, old, keys;
		SELECT dbmazz.create_pipeline('$database', publication => 'p', slot => 's_$database', copy => false,
			settings => '{"table_name_template=${database}_{table}"}');
		SQL
	for my $table ("t$letter", 'bad', 'old', 'keys')
	{
		my $ddl = run_sql($database, qq(SELECT dbmazz.target_ddl('"$table"')));
		$ddl =~ s/CREATE TABLE `/CREATE TABLE `${database}_/;
		$target->sql("CREATE DATABASE IF NOT EXISTS shop");
		$target->sql($ddl, 'shop');
	}
	$node->run_pipeline($database, $database);
}

# ---- what can be converted -------------------------------------------------------

for my $database (sort keys %encodings)
{
	my ($letter, $other) = @{ $encodings{$database} }{qw(letter other)};
	my $table = "t$letter";
	run_sql($database, <<~"SQL");
		INSERT INTO "$table" VALUES
			(1, '$letter', '$letter', '$letter$other', ARRAY['$letter', 'a "$other"', NULL], '{"$letter": "$other"}',
				'{"$letter": "$other"}', '$letter', 'x$letter', '$other', 'plain', NULL, '\\xe9ff', 'e'),
			(2, 'plain', 'plain', 'plain', '{}', '"plain"', '{}', NULL, NULL, NULL, NULL, '', NULL, NULL),
			(3, 'x$letter"\\', repeat('$letter', 3), '', '{}', NULL, NULL, '$other "x"', '', '', E'$other\\n\\t\\\\',
				NULL, NULL, NULL);
		-- the border of a piece in the middle of a character, and values of all lengths
		INSERT INTO "$table" (id, k, big) SELECT i, 'big', repeat('x', i) || repeat('$letter', 50000)
			FROM generate_series(10, 13) i;
		INSERT INTO "$table" (id, k, x) SELECT i, 'x', repeat('x', i) || '$letter' || repeat('y', i % 17)
			FROM generate_series(100, 150) i;
		UPDATE "$table" SET k = k || '$other', v = '$other' WHERE id < 100;
		UPDATE "$table" SET v = '$letter' WHERE id = 2;
		DELETE FROM "$table" WHERE id = 12;
		INSERT INTO old VALUES (1, '$letter', '$other'), (2, '$letter', '$other');
		UPDATE old SET id = id + 10;
		DELETE FROM old WHERE t = '$letter' AND id = 12;
		SQL
	$node->wait_for_target($database, $database);
	# whatever the database, both sides of the comparison are UTF-8
	rows_equal($node, $database, qq("$table"), $target, "shop.${database}_$table", name => "$database: values and names");
	rows_equal($node, $database, 'old', $target, "shop.${database}_old", name => "$database: old rows");
	is(run_sql($database, q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0,
		"$database: no table has stopped");
	is(run_sql($database, qq(SELECT target FROM dbmazz.stat_table WHERE target LIKE '%t$letter')),
		"${database}_$table", "$database: the target's name is legible in the view");
}

# ---- what cannot ------------------------------------------------------------------

sub stopped
{
	my ($database, $table) = @_;
	$node->poll_query_until($database, "SELECT EXISTS (SELECT FROM dbmazz.stat_table
		WHERE target = '${database}_$table' AND state = 'stopped')")
	  or die "$database: $table did not stop: " . run_sql($database, 'TABLE dbmazz.stat_table');
	return run_sql($database, "SELECT concat_ws(' | ', error, detail, hint) FROM dbmazz.stat_table
		WHERE target = '${database}_$table'");
}

sub set_policy
{
	my ($database, $policy) = @_;
	run_sql($database, <<~"SQL");
		SELECT dbmazz.alter_pipeline('$database',
			settings => '{"table_name_template=${database}_{table}",unrepresentable=$policy}');
		SELECT dbmazz.stop_pipeline('$database');
		SQL
	$node->wait_for_state($database, $database, 'stopped');
	$node->run_pipeline($database, $database);
	return;
}

sub target_value
{
	my ($database, $table, $what, $id) = @_;
	$node->wait_for_target($database, $database);
	return $target->sql("SELECT $what FROM ${database}_$table WHERE id = $id", 'shop');
}

for my $database (grep { $encodings{$_}{bad} } sort keys %encodings)
{
	my $bad = bytes($encodings{$database}{bad});
	my $hex = join '', map { "\\x$_" } $encodings{$database}{bad} =~ /../g;
	my $name = $database eq 'sql_ascii' ? 'UTF8' : $encodings{$database}{name};
	run_sql($database, "INSERT INTO bad VALUES (1, 'before'), (2, 'a' || $bad || 'b'), (3, 'after')");
	my $said = stopped($database, 'bad');
	like($said, qr/cannot send column "k" of table "public\.bad": the value has bytes that are no characters of \Q$name\E/,
		"$database: the table stops over bytes that are no character");
	like($said, qr/Key \(id\)=\(2\), value "a\Q$hex\Eb"/, "$database: the message has key and bytes");
	like($said, qr/dbmazz\.alter_pipeline/, "$database: and the remedy");

	# The same rows, under a policy: the table goes on from there.
	set_policy($database, 'null');
	is(target_value($database, 'bad', 'k IS NULL', 2), 1, "$database: null: the row came with NULL");
	is(target_value($database, 'bad', 'k', 3), 'after', "$database: null: what is behind it came too");
	run_sql($database, "INSERT INTO bad (id, nn) VALUES (4, $bad)");
	like(stopped($database, 'bad'), qr/"nn".*NOT NULL/, "$database: null: not in a column that is NOT NULL");

	set_policy($database, 'clamp');
	my $instead = "\xEF\xBF\xBD";
	is(target_value($database, 'bad', 'nn', 4), $instead, "$database: clamp: U+FFFD stands for it");
	run_sql($database, "INSERT INTO bad (id, t, j) VALUES (5, 'x' || $bad || 'y' || $bad, to_json('z' || $bad))");
	is(target_value($database, 'bad', 't', 5), "x${instead}y$instead", "$database: clamp: for each of them");
	is(target_value($database, 'bad', 'j', 5), qq("z$instead"), "$database: clamp: in a document");

	# An old row with such bytes does not stand in the way of its correction.
	set_policy($database, 'error');
	run_sql($database, <<~"SQL");
		ALTER PUBLICATION p DROP TABLE old;
		INSERT INTO old VALUES (20, $bad, 'x'), (21, $bad, 'x');
		ALTER PUBLICATION p ADD TABLE old;
		UPDATE old SET t = 'good' WHERE id = 20;
		DELETE FROM old WHERE id = 21;
		SQL
	is(target_value($database, 'old', 't', 20), 'good', "$database: the old row's bytes do not matter");

	run_sql($database, "INSERT INTO keys VALUES ($bad, 1)");
	like(stopped($database, 'keys'), qr/"k".*public\.keys/, "$database: a key stops the table");
	set_policy($database, 'clamp');
	like(stopped($database, 'keys'), qr/key columns are never changed/, "$database: under every policy");
}

# ---- names -------------------------------------------------------------------------

run_sql('sql_ascii', <<~"SQL");
	DO \$\$ BEGIN EXECUTE E'CREATE TABLE good (id int PRIMARY KEY, "c\\xe9" int)'; END \$\$;
	ALTER PUBLICATION p ADD TABLE good;
	INSERT INTO good VALUES (1, 2);
	SQL
like(stopped('sql_ascii', 'good'), qr/has a name, or a column with a name, that cannot be converted to UTF8/,
	'a name that cannot be converted stops its table');
is(run_sql('sql_ascii', "SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped'"), 2, 'and no other one');
is($node->safe_psql('sql_ascii', q(SELECT state FROM dbmazz.stat_pipeline)), 'streaming', 'the pipeline runs');

# What cannot be converted is escaped, at the target's name as in the catalogs.
for my $database (qw(sql_ascii win1252))
{
	my $hex = $encodings{$database}{bad};
	my $bad = bytes($hex);
	run_sql($database, <<~"SQL");
		DO \$\$ BEGIN EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY)', 'n' || $bad); END \$\$;
		DO \$\$ BEGIN EXECUTE format('ALTER PUBLICATION p ADD TABLE %I', 'n' || $bad); END \$\$;
		DO \$\$ BEGIN EXECUTE format('INSERT INTO %I VALUES (1)', 'n' || $bad); END \$\$;
		SQL
	like(stopped($database, "n\\x$hex"), qr/table "public\.n\\x$hex" has a name.*that cannot be converted/,
		"$database: the table's name is escaped");
	set_policy($database, 'error');
	like(stopped($database, "n\\x$hex"), qr/cannot be converted/, "$database: it is still that one after a restart");
	is(run_sql($database, q(SELECT count(*) FROM dbmazz.stat_table WHERE target LIKE '%\_n%')), 1, "$database: and no other");
	my ($status, $out, $err) = $node->psql($database, "SELECT dbmazz.target_ddl(oid) FROM pg_class WHERE relname = 'n' || $bad");
	like($err, qr/that cannot be converted to UTF8/, "$database: target_ddl says so too");
}

# What the target says about names is in the database's encoding.
for my $database (qw(latin1 euc_jp))
{
	my $letter = $encodings{$database}{letter};
	run_sql($database, <<~"SQL");
		CREATE TABLE "$letter/x" (id int PRIMARY KEY);
		CREATE SERVER other FOREIGN DATA WRAPPER dbmazz OPTIONS (url 'http://127.0.0.1:1', database '$letter');
		CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (user 'u');
		SELECT dbmazz.create_pipeline('other', publication => 'p', slot => 'other_$database', server => 'other', copy => false);
		SELECT dbmazz.start_pipeline('other');
		SQL
	my ($status, $out, $err) = $node->psql($database, qq(SELECT dbmazz.target_ddl('"$letter/x"')));
	like($err, qr/table with the name "$letter\/x"/, "$database: an error of the sink has the name");
	$node->wait_for_state($database, 'other', 'streaming');
	run_sql($database, q(SELECT dbmazz.stop_pipeline('other')));
	$node->wait_for_state($database, 'other', 'stopped');
	$node->run_pipeline($database, 'other');
	is(run_sql($database, q(SELECT last_error FROM dbmazz.stat_pipeline WHERE name = 'other' AND last_error LIKE '%destination%')),
		'', "$database: the destination is the same after a restart");
}

$node->stop;
done_testing();

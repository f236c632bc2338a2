# What each role may do with each object of the schema, found in the catalogs: an
# object that this test does not know fails it.  Roles log in by themselves.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Node;

my $node = dbmazz::Node->start_new('main');

# stranger: nothing; visitor: USAGE on the schema only; monitor: pg_monitor; etl: has
# been given the functions, and owns the pipeline "his".  "theirs" is the superuser's.
sql(<<~'SQL');
	CREATE ROLE stranger LOGIN;
	CREATE ROLE visitor LOGIN;
	GRANT USAGE ON SCHEMA dbmazz TO visitor;
	CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
	CREATE ROLE etl LOGIN IN ROLE pg_monitor;
	GRANT USAGE ON SCHEMA dbmazz TO etl;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbmazz TO etl;
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	GRANT SELECT ON orders TO etl;
	CREATE PUBLICATION dbmazz_pub FOR TABLE orders;
	CREATE SERVER target FOREIGN DATA WRAPPER dbmazz OPTIONS (sink 'null');
	CREATE SERVER warehouse FOREIGN DATA WRAPPER dbmazz OPTIONS (url 'http://127.0.0.1:1', database 'shop');
	CREATE USER MAPPING FOR PUBLIC SERVER warehouse OPTIONS (user 'loader', password 'Tr0ub4dor');
	CREATE USER MAPPING FOR postgres SERVER warehouse OPTIONS (user 'boss', password 'Tr0ub4dor');
	GRANT USAGE ON FOREIGN SERVER target, warehouse TO etl;
	SELECT dbmazz.create_pipeline('theirs', sink => 'null', copy => false);
	SQL
sql(q(SELECT dbmazz.create_pipeline('his', slot => 'his', sink => 'null', copy => false)), 'etl');
sql("SELECT dbmazz.start_pipeline('$_')") for qw(his theirs);
$node->wait_for_state('postgres', $_, 'streaming') for qw(his theirs);

# ---- functions ------------------------------------------------------------------------

# How each is called with the name of a pipeline; undef: not about one.
my %call = (
	create_pipeline => undef,
	alter_pipeline => q(dbmazz.alter_pipeline('%s', settings => '{flush_interval=20ms}')),
	start_pipeline => q(dbmazz.start_pipeline('%s')),
	stop_pipeline => q(dbmazz.stop_pipeline('%s')),
	drop_pipeline => q(dbmazz.drop_pipeline('%s')),
	accept_identity => q(dbmazz.accept_identity('%s')),
	repair_pipeline => q(dbmazz.repair_pipeline('%s')),
	table_reloaded => q(dbmazz.table_reloaded('%s', 'orders')),
	retry_batch => q(dbmazz.retry_batch('%s', 'orders')),
	skip_batch => q(dbmazz.skip_batch('%s', 'orders')),
	replay_dead_letters => q(dbmazz.replay_dead_letters('%s', 'orders')),
	# these tell nothing that the views do not tell
	wait_for => undef,
	target_ddl => undef,
	stat_get_pipelines => undef,
	stat_get_budget_waits => undef,
	stat_get_wal_warning => undef,
	fdw_validator => undef);

# With arguments of no meaning: privileges are looked at first.
my %any_call = (
	create_pipeline => q(dbmazz.create_pipeline('x', copy => false)),
	wait_for => q(dbmazz.wait_for('his', '0/1')),
	target_ddl => q(dbmazz.target_ddl('public.orders')),
	stat_get_pipelines => q(dbmazz.stat_get_pipelines()),
	stat_get_budget_waits => q(dbmazz.stat_get_budget_waits()),
	stat_get_wal_warning => q(dbmazz.stat_get_wal_warning(1)),
	fdw_validator => q(dbmazz.fdw_validator('{}', 0::oid)));

my @functions = split /\n/, sql(<<~'SQL');
	SELECT proname FROM pg_proc WHERE pronamespace = 'dbmazz'::regnamespace ORDER BY 1
	SQL
is_deeply([ sort keys %call ], \@functions, 'this test knows every function');
is(sql(q(SELECT count(*) FROM pg_proc WHERE pronamespace = 'dbmazz'::regnamespace AND prosecdef)), 0,
	'no function lends its rights to a caller');

my %text = map { $_ => 'SELECT ' . ($any_call{$_} // sprintf $call{$_}, 'theirs') } @functions;
denied('stranger', 'schema', map { $text{$_} } @functions);
denied('visitor', 'function', map { $text{$_} } @functions);
denied('monitor', 'function', map { $text{$_} } grep { !/^stat_get_/ } @functions);
my @about = grep { $call{$_} } @functions;
refused('etl', qr/must be owner of pipeline "theirs"/, map { $text{$_} } @about);
unlike($_, qr/permission denied|must be/, 'etl has the rights for his own')
  for errors('etl', map { 'BEGIN; SELECT ' . sprintf($call{$_}, 'his') . '; ROLLBACK' } @about);
is(sql(q(SELECT count(*) > 0 FROM dbmazz.stat_get_pipelines()), 'monitor'), 't', 'pg_monitor calls what a view calls');
is(sql(q(SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM dbmazz.stat_pipeline)),
	'his streaming, theirs streaming', 'nobody has changed anything');

# ---- tables, views, sequences ---------------------------------------------------------

my %kind = (
	pipelines => 'view', stat_pipeline => 'view', stat_table => 'view',
	dead_letters => 'values', skipped_rows => 'values',
	map({ $_ => 'table' } qw(pipeline run_state checkpoints pipeline_tables gaps dead_letter
		dropped_lanes replay_request skipped_row)),
	map({ $_ => 'sequence' } qw(pipeline_id_seq dead_letter_id_seq replay_request_id_seq)));
my @relations = split /\n/, sql(<<~'SQL');
	SELECT relname FROM pg_class WHERE relnamespace = 'dbmazz'::regnamespace AND relkind NOT IN ('i', 't') ORDER BY 1
	SQL
is_deeply([ sort keys %kind ], \@relations, 'this test knows every relation');
is(sql(<<~'SQL'), '', 'nothing else is in the schema but rows of them, indexes and arrays');
	SELECT string_agg(pg_describe_object(classid, objid, 0), ', ') FROM pg_depend
	WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'dbmazz'::regnamespace
		AND classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_extension'::regclass)
	SQL

for my $name (@relations)
{
	my $what = $kind{$name} eq 'table' || $kind{$name} eq 'sequence' ? $kind{$name} : 'view';
	my @statements = $what eq 'sequence' ?
	  ("SELECT nextval('dbmazz.$name')", "SELECT setval('dbmazz.$name', 1)", "SELECT * FROM dbmazz.$name") :
	  ("SELECT * FROM dbmazz.$name", "INSERT INTO dbmazz.$name DEFAULT VALUES", "DELETE FROM dbmazz.$name",
		"COPY dbmazz.$name TO STDOUT",
		$what eq 'table' ? "TRUNCATE dbmazz.$name" : "UPDATE dbmazz.$name SET target = ''");
	for my $role (qw(stranger visitor monitor etl))
	{
		my ($read, @others) = $role =~ /monitor|etl/ && $kind{$name} eq 'view' ? @statements : (undef, @statements);
		is((errors($role, $read))[0], '', "$role: $read") if $read;
		# of views, there are other reasons why they cannot be written to
		refused($role, $role eq 'stranger' ? qr/permission denied for schema/ :
			  $what eq 'view' ? qr/permission denied for view|cannot|column "target" of relation/ :
			  qr/permission denied for $what/, @others);
	}
}

# ---- values of rows: the views for those who were granted them ---------------------------

sql(<<~'SQL');
	GRANT SELECT ON dbmazz.dead_letters, dbmazz.skipped_rows TO etl;
	INSERT INTO dbmazz.dead_letter (pipeline, target, relation, source, lsn, sequence, op, key, detail)
		SELECT id, 'orders', 'orders'::regclass, 'public.orders', '0/1', 0, 'INSERT', '{"id":1}', 'value of ' || name
		FROM dbmazz.pipeline;
	INSERT INTO dbmazz.skipped_row SELECT id, 'orders', '0/1', 0, 'value of ' || name, 'postgres' FROM dbmazz.pipeline;
	INSERT INTO dbmazz.pipeline_tables (pipeline, target, relation, source, epoch, sequence, state, error, detail, row_lsn)
		SELECT id, 'odd', 'orders'::regclass, 'public.odd', 1, 0, 'streaming', 'it failed', 'value of ' || name, '0/1'
		FROM dbmazz.pipeline;
	SQL
my $peek = <<~'SQL';
	CREATE FUNCTION pg_temp.peek(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
		AS 'BEGIN RAISE WARNING ''%'', $1; RETURN true; END';
	SELECT pg_temp.peek(detail) FROM %s WHERE pg_temp.peek(detail);
	SQL
for my $view (qw(dead_letters skipped_rows stat_table))
{
	my ($seen) = errors('etl', sprintf $peek, "dbmazz.$view");
	like($seen, qr/value of his/, "$view shows values of the own pipeline");
	unlike($seen, qr/value of theirs/, '... and none of others, not even to a function that looks early');
}
unlike(sql('TABLE dbmazz.stat_table', 'monitor'), qr/value of/, 'pg_monitor sees no values');

# ---- settings -----------------------------------------------------------------------------

my @settings = split /\n/, sql(q(SELECT name FROM pg_settings WHERE name LIKE 'dbmazz.%' ORDER BY 1));
cmp_ok(scalar @settings, '>', 40, 'there are settings');
push @settings, 'dbmazz.starrocks_password';
for my $role (qw(stranger etl))
{
	refused($role, qr/permission denied to set parameter|cannot be changed/,
		map { ("SET $_ = DEFAULT", "ALTER ROLE $role SET $_ = '1'") } @settings);
}
sql('ALTER DATABASE postgres OWNER TO stranger');
refused('stranger', qr/permission denied to set parameter/,
	"ALTER DATABASE postgres SET dbmazz.starrocks_url = 'http://127.0.0.1:2'");
sql('ALTER DATABASE postgres OWNER TO postgres');

# What a session has set is for this session.
sql('GRANT SET ON PARAMETER dbmazz.null_delay_ms TO etl');
sql(<<~'SQL', 'etl');
	SET dbmazz.null_delay_ms = 3600000;
	SELECT dbmazz.stop_pipeline('his');
	SQL
$node->wait_for_state('postgres', 'his', 'stopped');
sql(q(SET dbmazz.null_delay_ms = 3600000; SELECT dbmazz.start_pipeline('his')), 'etl');
sql(q(ALTER ROLE etl SET dbmazz.null_delay_ms = 3600000), 'postgres');
sql(q(INSERT INTO orders VALUES (1, 'a')));
is(sql(q(SELECT dbmazz.wait_for('his', pg_current_wal_insert_lsn(), '60s')), 'etl'), 't',
	'a setting of a session, or of a role, is none of the workers');

# ---- servers and user mappings ------------------------------------------------------------

for my $role (qw(stranger monitor etl))
{
	my @views = qw(pg_user_mappings information_schema.user_mapping_options information_schema.user_mappings
	  information_schema.foreign_server_options pg_foreign_server pg_file_settings pg_settings);
	my ($out, $errors) = ('', '');
	$node->psql('postgres', join('; ', map { "TABLE $_" } @views), stdout => \$out, stderr => \$errors,
		extra_params => [ '-U', $role ], on_error_stop => 0);
	like($out, qr/warehouse/, "$role sees the servers");
	unlike($out . $errors, qr/Tr0ub4dor/, '... and no password');
	denied($role, 'table', 'TABLE pg_user_mapping');
}
refused('etl', qr/permission denied|must be owner/,
	'CREATE SERVER evil FOREIGN DATA WRAPPER dbmazz',
	q(ALTER SERVER warehouse OPTIONS (SET url 'http://127.0.0.1:2')),
	q(CREATE USER MAPPING FOR postgres SERVER target),
	q(ALTER USER MAPPING FOR PUBLIC SERVER warehouse OPTIONS (SET user 'x')),
	'DROP USER MAPPING FOR PUBLIC SERVER warehouse',
	'DROP SERVER target', 'DROP FOREIGN DATA WRAPPER dbmazz CASCADE', 'DROP EXTENSION dbmazz CASCADE',
	'DROP TABLE dbmazz.pipeline', 'ALTER EXTENSION dbmazz UPDATE',
	'CREATE FUNCTION dbmazz.start_pipeline(text) RETURNS void LANGUAGE sql AS $$SELECT$$');

# Where data may go.
refused('etl', qr/permission denied to set parameter/,
	q(SELECT dbmazz.alter_pipeline('his', settings => '{starrocks_url=http://127.0.0.1:2}')));
refused('etl', qr/permission denied to use sink "file"/,
	q(SELECT dbmazz.create_pipeline('f', slot => 'f', sink => 'file', copy => false)));
refused('etl', qr/sink "\.\.\/\.\.\/tmp\/x" does not exist/,
	q(SELECT dbmazz.create_pipeline('f', slot => 'f', sink => '../../tmp/x', copy => false)));

# Nothing of all this has hurt anybody.
is(sql(q(SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM dbmazz.stat_pipeline)),
	'his streaming, theirs streaming', 'both pipelines run');
is($node->worker_pid('launcher') ne '', 1, 'and the launcher');

$node->stop;
done_testing();

# ---- helpers ------------------------------------------------------------------------------

# Run as a role; dies if it fails.
sub sql
{
	my ($sql, $role) = @_;
	return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role // 'postgres' ]);
}

# Run statements as a role, in one session; returns what each has to complain.
sub errors
{
	my ($role, @statements) = @_;
	my $text = '';
	my $script = join '', map { "$_;\n\\warn ----\n" } @statements;
	$node->psql('postgres', $script, stderr => \$text, extra_params => [ '-U', $role ], on_error_stop => 0);
	my @errors = split /^----\n?/m, $text, -1;
	pop @errors;
	die "$role: not all was run: $text" if @errors != @statements;
	return @errors;
}

sub refused
{
	my ($role, $pattern, @statements) = @_;
	my @errors = errors($role, @statements);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($errors[$_], $pattern, "$role: $statements[$_]") for 0 .. $#statements;
	return;
}

sub denied
{
	my ($role, $kind, @statements) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return refused($role, qr/permission denied for $kind/, @statements);
}

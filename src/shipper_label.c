/*
 * shipper_label.c
 *		The labels of a lane, and what the catalogs say of them.
 *
 * NOTES
 *	  Labels.  A lane numbers its loads; a retry keeps label and bytes.  Before a
 *	  label is used, the catalogs must cover it: the lane's row says "all labels
 *	  of this epoch below 'sequence' are final", and how many from there on may be
 *	  used.  So a later life has to look at no more than these to be sure that no
 *	  load of this one can still commit.
 *
 *	  Few are covered at a time, for a later life asks for each; but more where they
 *	  are soon used up, for each time costs a flush of WAL, which all lanes wait for;
 *	  and for the same reason other lanes that will soon need more get them, too.
 */
#include "postgres.h"

#include "debug_point.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker.h"

#define MIN_COVERED		8
#define MAX_COVERED		64
#define SOON_MS			1000	/* ... used up: next time more are covered */
#define LATE_MS			10000	/* as few as at first */
#define MAX_AT_ONCE		64		/* lanes, so that the first does not wait long */

void
dbmazz_lane_format_label(const Lane *lane, const char *uid, uint64 epoch,
						 uint64 sequence, char *out)
{
	DbmazzLabel label;

	strlcpy(label.uid, uid, sizeof(label.uid));
	label.epoch = epoch;
	label.lane = lane->lane;
	label.sequence = sequence;
	dbmazz_label_format(&label, out);
}

/* How many labels to cover now. */
static uint32
labels_to_cover(const DbmazzShipper *s, const Lane *lane)
{
	TimestampTz now = GetCurrentTimestamp();

	/* a later life must not take the end of a group's attempt for that of another */
	if (lane == s->group.lane)
		return 1;
	if (!lane->settled ||
		TimestampDifferenceExceeds(lane->covered_at, now, LATE_MS))
		return MIN_COVERED;
	if (TimestampDifferenceExceeds(lane->covered_at, now, SOON_MS))
		return lane->covered.n;
	return Min(lane->covered.n * 2, MAX_COVERED);
}

/*
 * Cover these and no old ones; but for the place, which the caller keeps.  An error on
 * the way to the commit ends the process, so no more is taken for covered than is.
 */
static void
set_covered(DbmazzShipper *s, Lane *lane, const DbmazzLaneLabels *labels)
{
	static const DbmazzMark none = {InvalidXLogRecPtr, 0};
	ListCell   *lc;

	dbmazz_catalog_set_lane(s->id, lane->target, lane->relid, lane->source,
							labels, &lane->done,
							lane == s->group.lane ? &s->group.sent : &none);
	foreach(lc, lane->old)
	{
		const OldLabels *old = lfirst(lc);

		if (old->is_dropped)
			dbmazz_catalog_forget_lane(s->destination, lane->target, old->uid,
									   old->labels.epoch);
	}
	lane->covered.epoch = labels->epoch;
	lane->covered.sequence = labels->sequence;
	lane->covered.n = labels->n;
	lane->covered_at = GetCurrentTimestamp();
	list_free_deep(lane->old);
	lane->old = NIL;
	if (lane->old_labels != NULL)
		pfree(lane->old_labels);
	lane->old_labels = NULL;
	lane->row_has_load = false;
	lane->settled = true;
}

/*
 * Will the lane soon need labels that are not covered, and may it have them?  Not
 * one that is stopped: a user may have its row, who does not commit.
 */
static bool
needs_labels(const Lane *lane)
{
	const DbmazzLaneLabels *covered = &lane->covered;
	ListCell   *lc;

	if (lane->stopped)
		return false;
	if (lane->settled)
		return lane->sequence >= covered->sequence + covered->n / 2;
	foreach(lc, lane->old)
	{
		/* rows that another pipeline may be taking away, too, in another order */
		if (((const OldLabels *) lfirst(lc))->is_dropped)
			return false;
	}
	return !dbmazz_lane_is_unsettled(lane) && !lane->row_has_load &&
		lane->source != NULL;
}

/* Other lanes with work that would need the same within a moment. */
static void
cover_others(DbmazzShipper *s, const Lane *first)
{
	dlist_iter	iter;
	int			n = 0;

	/* with exactly_once each load has the lane's row written in any case */
	if (s->exactly_once)
		return;
	dlist_foreach(iter, &s->working)
	{
		Lane	   *lane = dlist_container(Lane, node, iter.cur);
		DbmazzLaneLabels labels = {s->epoch, lane->sequence, 0,
		lane->covered.place};

		if (lane == first || !needs_labels(lane))
			continue;
		labels.n = labels_to_cover(s, lane);
		set_covered(s, lane, &labels);
		if (++n == MAX_AT_ONCE)
			break;
	}
}

/*
 * Make the catalogs cover the label that is about to be used, and no old ones; and
 * the place that a TRUNCATE is about to be sent to, or none.
 */
void
dbmazz_lane_cover_label(DbmazzShipper *s, Lane *lane, const char *place)
{
	DbmazzLaneLabels *covered = &lane->covered;
	DbmazzLaneLabels labels = {s->epoch, lane->sequence, covered->n,
	unconstify(char *, place)};
	bool		is_covered = lane->settled &&
	lane->sequence < covered->sequence + covered->n;
	bool		same_place = place == NULL || covered->place == NULL ?
	place == covered->place : strcmp(place, covered->place) == 0;

	if (is_covered && same_place)
		return;
	if (!is_covered)
		labels.n = labels_to_cover(s, lane);
	dbmazz_worker_begin();
	set_covered(s, lane, &labels);
	cover_others(s, lane);
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("label_covered");
	if (same_place)
		return;
	if (covered->place != NULL)
		pfree(covered->place);
	covered->place = place != NULL ? MemoryContextStrdup(s->cxt, place) : NULL;
}

/* Where the sink would send a TRUNCATE now, or NULL; in the batch's memory. */
const char *
dbmazz_lane_truncate_place(DbmazzShipper *s, Lane *lane)
{
	size_t		len;
	char	   *place;

	if (s->routine->place == NULL)
		return NULL;
	len = s->routine->place(s->sink, NULL, 0);
	if (len == 0)
		return NULL;
	place = MemoryContextAlloc(lane->cxt, len + 1);
	(void) s->routine->place(s->sink, place, len + 1);
	return place;
}

/* ---- their end --------------------------------------------------------------- */

bool
dbmazz_lane_is_unsettled(const Lane *lane)
{
	return !lane->settled && lane->nsettled < list_length(lane->old);
}

/* None of the loads with these labels may commit any more. */
static void
start_settling(DbmazzShipper *s, Lane *lane, const char *const *labels,
			   int nlabels, const char *place)
{
	lane->request.labels = labels;
	lane->request.nlabels = nlabels;
	lane->request.of_groups = lane == s->group.lane;
	lane->request.place = place;
	dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_SETTLE);
}

/*
 * Labels of an earlier life, or of a pipeline that is gone: none of their loads
 * may commit any more.
 */
void
dbmazz_lane_settle(DbmazzShipper *s, Lane *lane)
{
	const OldLabels *old = list_nth(lane->old, lane->nsettled);
	uint32		n = old->labels.n;
	char	   *text;
	uint32		i;

	if (lane->old_labels != NULL)
		pfree(lane->old_labels);
	/* the labels are behind the pointers to them */
	lane->old_labels = MemoryContextAlloc(s->cxt, n * (sizeof(char *) +
													   DBMAZZ_LABEL_SIZE));
	text = (char *) &lane->old_labels[n];
	for (i = 0; i < n; i++, text += DBMAZZ_LABEL_SIZE)
	{
		dbmazz_lane_format_label(lane, old->uid, old->labels.epoch,
								 old->labels.sequence + i, text);
		lane->old_labels[i] = text;
	}
	start_settling(s, lane, lane->old_labels, n, old->labels.place);
}

void
dbmazz_lane_settle_doubt(DbmazzShipper *s, Lane *lane)
{
	lane->in_use = lane->label;
	start_settling(s, lane, &lane->in_use, 1, lane->covered.place);
}

/*
 * debug_point.h
 *		Named points where a test can break a process.
 *
 * NOTES
 *	  Compiled in by -DDBMAZZ_DEBUG_POINTS only.  The setting dbmazz.debug_point
 *	  has the form "<point>:<action>:<tag>"; a value strikes once in the life of
 *	  the server, so that the restarted process gets past the point; another tag
 *	  makes it another value.  Actions: error, kill (the process gets SIGKILL),
 *	  wait (until the setting is changed).
 */
#ifndef DBMAZZ_DEBUG_POINT_H
#define DBMAZZ_DEBUG_POINT_H

#ifdef DBMAZZ_DEBUG_POINTS
extern char *dbmazz_debug_point;

/* Has the setting named this point?  Acts on it; may not return. */
extern void dbmazz_debug_hit(const char *point);

#define DBMAZZ_DEBUG_POINT(point) \
	do { \
		if (dbmazz_debug_point != NULL && dbmazz_debug_point[0] != '\0') \
			dbmazz_debug_hit(point); \
	} while (0)
#else
#define DBMAZZ_DEBUG_POINT(point) ((void) 0)
#endif

#endif							/* DBMAZZ_DEBUG_POINT_H */

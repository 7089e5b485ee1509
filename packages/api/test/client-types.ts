// Made by openapi-typescript from the document.
export interface paths {
    "/v1/organizations/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read all webhooks, newest first
         * @description Needs `webhooks:read`.
         */
        get: operations["getWebhooks"];
        put?: never;
        /**
         * Create a webhook
         * @description Needs `webhooks:write`.
         */
        post: operations["createWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * List webhooks, newest first
         * @description Pages by `offset`, or by the `next_cursor` of the previous page, which is equally fast on every page. Needs `webhooks:read`.
         */
        post: operations["listWebhooks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a webhook
         * @description By its id, or by its name: then the newest webhook with that name. Needs `webhooks:read`.
         */
        get: operations["getWebhook"];
        /**
         * Replace the name, event types, channels and activity of a webhook
         * @description Pending deliveries use the new channels. A secret that is sent as `***` keeps its stored value. Needs `webhooks:write`.
         */
        put: operations["replaceWebhook"];
        post?: never;
        /**
         * Delete a webhook
         * @description Cancels its pending deliveries. Deleting a webhook that does not exist is no error. Needs `webhooks:write`.
         */
        delete: operations["deleteWebhook"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}/secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the current signing secret
         * @description Needs `secrets:read`.
         */
        get: operations["getWebhookSecret"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the signing secret
         * @description The old secret also signs until the overlap is over, so that receivers can switch. Needs `webhooks:write` and `secrets:read`.
         */
        post: operations["rotateWebhookSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a sample event to each channel of a webhook, immediately
         * @description The sample is not stored and not retried. It is sent even while the webhook is paused. Limited to a few calls a second. Needs `webhooks:write`.
         */
        post: operations["testWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Preview a sample event in each channel of a webhook
         * @description Nothing is sent, and the preview contains no secrets. Needs `webhooks:read`.
         */
        post: operations["previewWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List events, newest first
         * @description Needs `deliveries:read`.
         */
        get: operations["listEvents"];
        put?: never;
        /**
         * Dispatch an event
         * @description After a successful answer, each channel of each matching webhook gets attempts until one succeeds or none is left. Needs `events:write`.
         */
        post: operations["dispatchEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/events/{event_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an event
         * @description Needs `deliveries:read`.
         */
        get: operations["getEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List deliveries, newest first
         * @description Needs `deliveries:read`.
         */
        get: operations["listDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/webhooks/{webhook_id}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the deliveries of a webhook, newest first
         * @description Needs `deliveries:read`.
         */
        get: operations["listWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/deliveries/{delivery_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a delivery with its attempts
         * @description Needs `deliveries:read`.
         */
        get: operations["getDelivery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/deliveries/{delivery_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry a delivery
         * @description It is due at once, with a new retry schedule. 409 while it is being sent, or if its webhook is deleted. Needs `deliveries:write`.
         */
        post: operations["retryDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/deliveries/{delivery_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a delivery
         * @description A request in flight may still arrive. 409 if the delivery has already ended. Needs `deliveries:write`.
         */
        post: operations["cancelDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/events/{event_id}/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Explain what happened to an event, and why
         * @description Each webhook that matched, with its deliveries and what happens next. Also the webhooks that nearly matched, and why they did not. Needs `deliveries:read`.
         */
        get: operations["explainEvent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count deliveries by status, over time
         * @description Covers the last 24 hours, unless `from` and `to` are given. Needs `deliveries:read`.
         */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry many deliveries
         * @description Retries the deliveries that match all given fields, newest first, up to `per_second`. With the status `pending`, deliveries that wait for a later attempt are sent now. With `missed`, deliveries are created instead, oldest first: those that active webhooks would have of stored events and do not have, because they were paused or did not exist yet. With `dry_run`, matching deliveries are counted and none is retried. Needs `deliveries:write`.
         */
        post: operations["createReplay"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/replay/{replay_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the progress of a replay
         * @description Needs `deliveries:read`.
         */
        get: operations["getReplay"];
        put?: never;
        post?: never;
        /**
         * Cancel a replay
         * @description Deliveries that it has already retried go on. Needs `deliveries:write`.
         */
        delete: operations["cancelReplay"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List API keys, newest first
         * @description Needs `keys:write`.
         */
        get: operations["listApiKeys"];
        put?: never;
        /**
         * Create an API key
         * @description Only this answer contains the key. The key can have at most the scopes of these credentials, and expires no later. Needs `keys:write`.
         */
        post: operations["createApiKey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/api-keys/{key_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an API key
         * @description Within a second it is refused in every process. Any key of the tenant can be revoked. Needs `keys:write`.
         */
        delete: operations["revokeApiKey"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/event-types": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the catalog: the event types, with schemas and examples */
        get: operations["listEventTypes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check whether the API and its storage answer */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/organizations/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read this document */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface webhooks {
    event: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Any event */
        post: {
            parameters: {
                query?: never;
                header: {
                    /** @description As Standard Webhooks specifies */
                    "webhook-id": string;
                    /** @description As Standard Webhooks specifies */
                    "webhook-timestamp": string;
                    /** @description As Standard Webhooks specifies */
                    "webhook-signature": string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "event_id": "evt_0VfkBoZs3vPq0Hk2kzYw9a",
                     *       "event_type": "event",
                     *       "occurred_at": "2026-01-31T12:00:00.000Z",
                     *       "namespace_id": null,
                     *       "subject": null,
                     *       "metadata": {
                     *         "order_id": "o1"
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["ReceivedEvent"] & {
                        metadata?: unknown;
                    };
                };
            };
            responses: {
                /** @description Gone: no further events are sent to this endpoint */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Received: the event is not sent again */
                "2XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Failed: the event is retried */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        Error: {
            /** @constant */
            success: false;
            status: number;
            error: {
                message: string;
                type: string;
                details: {
                    [key: string]: unknown;
                };
            };
        };
        ValidationError: {
            detail: {
                loc: (string | number)[];
                msg: string;
                type: string;
            }[];
        };
        WebhookInput: {
            webhook_id?: string | null;
            /**
             * @description For people; need not be unique
             * @example Orders for Acme
             */
            webhook_name: string;
            /**
             * @description Event types or patterns: `order.*` matches `order.placed`, `*` matches everything
             * @example [
             *       "order.*"
             *     ]
             */
            event_types: string[];
            /** @description Default true; false pauses the webhook */
            is_active?: boolean | null;
            /** @description Accepted, and ignored */
            internal_id?: unknown;
            /** @description Accepted, and ignored */
            created_at?: unknown;
            /** @description Accepted, and ignored */
            updated_at?: unknown;
            /** @description An event is sent to all of them */
            channels: components["schemas"]["ChannelInput"][];
        };
        /**
         * @example {
         *       "channel": "webhook",
         *       "configs": {
         *         "url": "https://example.com/hooks",
         *         "headers": {
         *           "x-team": "orders"
         *         },
         *         "timeout": 10,
         *         "method": "POST"
         *       }
         *     }
         * @example {
         *       "channel": "webhook",
         *       "configs": {
         *         "url": "https://example.com/hooks",
         *         "payload_template": {
         *           "text": "{{ event.type }}: {{ metadata.total }}"
         *         }
         *       }
         *     }
         * @example {
         *       "channel": "slack",
         *       "configs": {
         *         "webhook_url": "https://hooks.slack.com/services/T0/B0/x",
         *         "username": "Orders",
         *         "icon_emoji": ":tada:"
         *       }
         *     }
         * @example {
         *       "channel": "slack",
         *       "configs": {
         *         "bot_token": "xoxb-0123456789",
         *         "channel_id": "C0123456789"
         *       }
         *     }
         * @example {
         *       "channel": "email",
         *       "configs": {
         *         "to_addresses": [
         *           "ada@example.com"
         *         ],
         *         "subject_template": "{{ event.type }}",
         *         "body_template": "# {{ event.type }}",
         *         "content_type": "markdown"
         *       },
         *       "digest": {
         *         "window": "10m",
         *         "max_events": 100
         *       }
         *     }
         * @example {
         *       "channel": "sms",
         *       "configs": {
         *         "phone_numbers": [
         *           "+12025550143"
         *         ],
         *         "message_template": "{{ event.type }}"
         *       },
         *       "only_after": {
         *         "channel": "email",
         *         "failed_attempts": 3
         *       }
         *     }
         */
        ChannelInput: {
            /**
             * @example webhook
             * @example slack
             * @example email
             * @example sms
             */
            channel: string;
            /**
             * @description The settings of the channel; unknown fields are refused. `***` keeps a stored secret
             * @example {
             *       "url": "https://example.com/hooks"
             *     }
             */
            configs: {
                [key: string]: unknown;
            };
            /** @description Escalation: starts only after that channel has failed this many times, or for good */
            only_after?: {
                channel: string;
                failed_attempts: number;
            } | null;
            /** @description Gathers events during this window and sends them as one message */
            digest?: {
                /** @description Seconds, or text like `10m`; from a second to 7 days */
                window: number | string;
                /** @description Default 100 */
                max_events?: number | null;
                /** @description The maximum size of all payloads together; default 524288 */
                max_bytes?: number | null;
            } | null;
        };
        Webhook: {
            webhook_id: string;
            webhook_name: string;
            event_types: string[];
            channels: components["schemas"]["Channel"][];
            is_active: boolean;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        Channel: {
            channel: string;
            /** @description Secrets are masked as `***` */
            configs: {
                [key: string]: unknown;
            };
            only_after?: {
                channel: string;
                failed_attempts: number;
            };
            digest?: {
                window: number;
                max_events: number;
                max_bytes?: number;
            };
        };
        WebhookFilter: {
            /** @description An event type: webhooks that match it. A pattern: webhooks that have exactly this pattern */
            event_type?: string | null;
            is_active?: boolean | null;
        };
        /** @description Fields that do not apply are null */
        Pagination: {
            total: number | null;
            page: number | null;
            page_size: number;
            total_pages: number | null;
            next_page: number | null;
            previous_page: number | null;
            /** @description Send it as `cursor` to get the next page */
            next_cursor: string | null;
        };
        WebhookReplacement: {
            /** @description If given, must be the id in the path */
            webhook_id?: string | null;
            /**
             * @description For people; need not be unique
             * @example Orders for Acme
             */
            webhook_name: string;
            /**
             * @description Event types or patterns: `order.*` matches `order.placed`, `*` matches everything
             * @example [
             *       "order.*"
             *     ]
             */
            event_types: string[];
            /** @description Default true; false pauses the webhook */
            is_active?: boolean | null;
            /** @description Accepted, and ignored */
            internal_id?: unknown;
            /** @description Accepted, and ignored */
            created_at?: unknown;
            /** @description Accepted, and ignored */
            updated_at?: unknown;
            /** @description An event is sent to all of them */
            channels: components["schemas"]["ChannelReplacement"][];
        };
        ChannelReplacement: {
            /** @description Identifies the channel, as `channel_id` of its deliveries does. Default: identified by its position */
            id?: string | null;
            /**
             * @example webhook
             * @example slack
             * @example email
             * @example sms
             */
            channel: string;
            /**
             * @description The settings of the channel; unknown fields are refused. `***` keeps a stored secret
             * @example {
             *       "url": "https://example.com/hooks"
             *     }
             */
            configs: {
                [key: string]: unknown;
            };
            /** @description Escalation: starts only after that channel has failed this many times, or for good */
            only_after?: {
                channel: string;
                failed_attempts: number;
            } | null;
            /** @description Gathers events during this window and sends them as one message */
            digest?: {
                /** @description Seconds, or text like `10m`; from a second to 7 days */
                window: number | string;
                /** @description Default 100 */
                max_events?: number | null;
                /** @description The maximum size of all payloads together; default 524288 */
                max_bytes?: number | null;
            } | null;
        };
        Secret: {
            /** @description `whsec_…` or `whsk_…`: for the receiver, to verify signatures */
            secret: string;
        };
        Rotation: {
            /** @description The new secret; generated if it is left out */
            secret?: string | null;
            /** @description `v1` (HMAC, default) or `v1a` (ed25519). With `secret`, must be the kind of that secret */
            kind?: ("v1" | "v1a") | null;
            /** @description For how many seconds the current secret goes on signing; default a day */
            overlap?: number | null;
        };
        Sample: {
            /** @description Default `webhook.test` */
            event_type?: string | null;
            /** @description The payload; default `{"test": true}` */
            metadata?: unknown;
        };
        SampleResult: {
            channel_id: string;
            channel: string;
            /** @enum {string} */
            outcome: "delivered" | "failed" | "rejected" | "gone" | "unknown";
            kind: ("http_status" | "timeout" | "connect_timeout" | "dns" | "refused" | "reset" | "tls" | "protocol" | "too_large" | "address_forbidden" | "config" | "credentials" | "proxy" | "channel_error" | "worker_lost") | null;
            message: string | null;
            status_code: number | null;
            response: string | null;
        };
        Preview: {
            channel_id: string;
            channel: string;
            /** @description Null if it cannot be rendered, or if there is nothing to show */
            parts: {
                name: string;
                type: string;
                text: string;
            }[] | null;
            /** @description Why it cannot be rendered */
            reason: string | null;
        };
        EventInput: {
            /** @example order.placed */
            event_type: string;
            /**
             * @description The payload, any JSON. It is delivered byte for byte as sent here
             * @example {
             *       "order_id": "o1",
             *       "total": 42
             *     }
             */
            metadata: unknown;
            /** @description Default: now */
            occurred_at?: string | null;
            namespace_id?: string | null;
            /** @description What it happened to */
            subject?: {
                type: string;
                id: string;
            } | null;
            cache_scope?: {
                [key: string]: unknown;
            } | null;
            /** @description Events with the same key reach a channel in their order */
            ordering_key?: string | null;
        };
        Dispatched: {
            event_id: string;
            deliveries: number;
        };
        Event: {
            event_id: string;
            event_type: string;
            /** Format: date-time */
            occurred_at: string;
            namespace_id: string | null;
            subject: {
                type: string;
                id: string;
            } | null;
            /** @description The event’s payload, as it was dispatched */
            metadata: unknown;
            cache_scope?: {
                [key: string]: unknown;
            };
            ordering_key?: string;
        };
        Delivery: {
            delivery_id: string;
            event_id: string;
            event_type: string;
            webhook_id: string;
            /** @description Identifies one of the webhook’s channels */
            channel_id: string;
            channel: string;
            /** @enum {string} */
            status: "pending" | "sending" | "delivered" | "dead" | "cancelled";
            /** @description How many attempts have begun */
            attempt_count: number;
            /** @description Null unless it is pending */
            next_attempt_at: string | null;
            /** Format: date-time */
            created_at: string;
            finished_at: string | null;
        };
        DeliveryWithAttempts: {
            delivery_id: string;
            event_id: string;
            event_type: string;
            webhook_id: string;
            /** @description Identifies one of the webhook’s channels */
            channel_id: string;
            channel: string;
            /** @enum {string} */
            status: "pending" | "sending" | "delivered" | "dead" | "cancelled";
            /** @description How many attempts have begun */
            attempt_count: number;
            /** @description Null unless it is pending */
            next_attempt_at: string | null;
            /** Format: date-time */
            created_at: string;
            finished_at: string | null;
            /** @description First to last */
            attempts: components["schemas"]["Attempt"][];
        };
        Attempt: {
            attempt_id: string;
            number: number;
            /** Format: date-time */
            started_at: string;
            duration_ms: number;
            /** @enum {string} */
            outcome: "delivered" | "failed" | "rejected" | "gone" | "unknown";
            /** @description Why it failed */
            kind: ("http_status" | "timeout" | "connect_timeout" | "dns" | "refused" | "reset" | "tls" | "protocol" | "too_large" | "address_forbidden" | "config" | "credentials" | "proxy" | "channel_error" | "worker_lost") | null;
            message: string | null;
            /** @description The status code of the receiver’s answer */
            status_code: number | null;
            /** @description The beginning of the receiver’s answer */
            response: string | null;
        };
        Explanation: {
            event: components["schemas"]["Event"];
            matched: components["schemas"]["MatchedWebhook"][];
            missed: components["schemas"]["MissedWebhook"][];
            /** @description False if there was too much to look at everything */
            is_complete: boolean;
        };
        MatchedWebhook: {
            /** @description Null if it is deleted */
            webhook: {
                webhook_id: string;
                webhook_name: string;
                is_active: boolean;
            } | null;
            /** @description Its patterns that match the event type now */
            patterns: string[];
            deliveries: components["schemas"]["ExplainedDelivery"][];
        };
        ExplainedDelivery: {
            channel_id: string;
            channel: string;
            delivery: components["schemas"]["DeliveryWithAttempts"] | null;
            next: components["schemas"]["NextStep"];
        };
        NextStep: {
            /** @enum {string} */
            what: "attempt" | "result" | "waits" | "nothing";
            /** @description When the next attempt is due */
            at: string | null;
            why: string;
        };
        MissedWebhook: {
            webhook: {
                webhook_id: string;
                webhook_name: string;
                is_active: boolean;
            };
            pattern: string;
            /** @enum {string} */
            reason: "paused" | "disabled" | "created_later" | "changed_later" | "pattern";
            message: string;
        };
        Stats: {
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            total: components["schemas"]["DeliveryCounts"];
            buckets: {
                /** Format: date-time */
                from: string;
                /** Format: date-time */
                to: string;
                counts: components["schemas"]["DeliveryCounts"];
            }[];
        };
        /** @description The number of deliveries with each status now */
        DeliveryCounts: {
            pending: number;
            sending: number;
            delivered: number;
            dead: number;
            cancelled: number;
        };
        ReplayInput: {
            /** @description Default `["dead"]` */
            status?: ("dead" | "cancelled" | "delivered" | "pending")[] | null;
            /** @description Requires `from`; cannot be combined with `status` */
            missed?: boolean | null;
            event_type?: string | null;
            webhook_id?: string | null;
            /** @description Only events dispatched at this instant or later */
            from?: string | null;
            /** @description Only events dispatched before this instant; default now */
            to?: string | null;
            /** @description The maximum rate; default 100 */
            per_second?: number | null;
            dry_run?: boolean | null;
        };
        Replay: {
            replay_id: string;
            /** @enum {string} */
            status: "running" | "done" | "cancelled";
            filter: {
                status: ("dead" | "cancelled" | "delivered" | "pending")[];
                /** @description Whether it creates missed deliveries; then `status` is empty */
                missed: boolean;
                event_type: string | null;
                webhook_id: string | null;
                from: string | null;
                /** Format: date-time */
                to: string;
            };
            per_second: number;
            /** @description How many deliveries were retried, or created, so far */
            replayed: number;
            /** @description How many were not: being sent, without their webhook, or gathering for a digest */
            skipped: number;
            /** Format: date-time */
            created_at: string;
            finished_at: string | null;
        };
        DryRun: {
            /** @constant */
            dry_run: true;
            /** @description How many deliveries match now */
            matching: number;
        };
        ApiKeyInput: {
            name: string;
            /** @description Default `live` */
            mode?: ("live" | "test") | null;
            scopes: ("webhooks:read" | "webhooks:write" | "events:write" | "deliveries:read" | "deliveries:write" | "secrets:read" | "keys:write")[];
            expires_at?: string | null;
        };
        CreatedApiKey: {
            /** @description The key starts with its characters */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("webhooks:read" | "webhooks:write" | "events:write" | "deliveries:read" | "deliveries:write" | "secrets:read" | "keys:write")[];
            /** Format: date-time */
            created_at: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
            /** @description The key itself, shown only in this answer */
            key: string;
        };
        ApiKey: {
            /** @description The key starts with its characters */
            key_id: string;
            name: string;
            /** @enum {string} */
            mode: "live" | "test";
            scopes: ("webhooks:read" | "webhooks:write" | "events:write" | "deliveries:read" | "deliveries:write" | "secrets:read" | "keys:write")[];
            /** Format: date-time */
            created_at: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
        };
        EventType: {
            event_type: string;
            description: string | null;
            /** @description JSON Schema, draft 2020-12 */
            schema: {
                [key: string]: unknown;
            } | null;
            example?: unknown;
        };
        ReceivedEvent: {
            /** @description `evt_…`: the same for every attempt, to recognize duplicates */
            event_id: string;
            event_type: string;
            /** Format: date-time */
            occurred_at: string;
            namespace_id: string | null;
            subject: {
                type: string;
                id: string;
            } | null;
            /** @description The event’s own payload */
            metadata: unknown;
            cache_scope?: {
                [key: string]: unknown;
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getWebhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All webhooks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"][];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    createWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookInput"];
            };
        };
        responses: {
            /** @description The webhook */
            201: {
                headers: {
                    /** @description Its version. Send it as `If-Match` to detect concurrent changes */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The id is taken, or the state does not allow the call */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 409,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ConflictError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listWebhooks: {
        parameters: {
            query?: {
                /** @description The maximum number of items */
                limit?: number;
                /** @description How many items to skip */
                offset?: number;
                /** @description The `next_cursor` of the previous page */
                cursor?: string;
                /** @description Includes `total` and `total_pages` in `pagination` */
                include_total?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WebhookFilter"];
            };
        };
        responses: {
            /** @description A page of webhooks */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["Webhook"][];
                        pagination: components["schemas"]["Pagination"];
                        /** @description How many items there are on all pages */
                        total: number;
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    /** @description Its version. Send it as `If-Match` to detect concurrent changes */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    replaceWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version to change; 412 if the webhook has changed */
                "If-Match"?: string;
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookReplacement"];
            };
        };
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    /** @description Its version. Send it as `If-Match` to detect concurrent changes */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It has changed: `If-Match` names another version */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 412,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PreconditionFailedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the version to change; 412 if the webhook has changed */
                "If-Match"?: string;
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It has changed: `If-Match` names another version */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 412,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PreconditionFailedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getWebhookSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Secret"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    rotateWebhookSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Rotation"];
            };
        };
        responses: {
            /** @description The new secret */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Secret"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The id is taken, or the state does not allow the call */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 409,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ConflictError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Sample"];
            };
        };
        responses: {
            /** @description The result of each channel */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["SampleResult"][];
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    previewWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Sample"];
            };
        };
        responses: {
            /** @description What would be sent, by channel */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["Preview"][];
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description The maximum number of items */
                limit?: number;
                /** @description The `next_cursor` of the previous page */
                cursor?: string;
                event_type?: string;
                /** @description Only events dispatched at this instant or later */
                from?: string;
                /** @description Only events dispatched before this instant */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["Event"][];
                        pagination: components["schemas"]["Pagination"];
                        total: number | null;
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    dispatchEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes it safe to send the same event again: the first answer is repeated. Another event with the same key is a 409 */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EventInput"];
            };
        };
        responses: {
            /** @description The event is stored with its deliveries */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dispatched"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The id is taken, or the state does not allow the call */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 409,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ConflictError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                event_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The event */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listDeliveries: {
        parameters: {
            query?: {
                /** @description The maximum number of items */
                limit?: number;
                /** @description The `next_cursor` of the previous page */
                cursor?: string;
                /** @description One status, or several separated by commas */
                status?: string;
                /** @description Only deliveries that ended without success: dead and cancelled */
                undelivered?: boolean;
                event_type?: string;
                event_id?: string;
                /** @description Only events dispatched at this instant or later */
                from?: string;
                /** @description Only events dispatched before this instant */
                to?: string;
                webhook_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["Delivery"][];
                        pagination: components["schemas"]["Pagination"];
                        total: number | null;
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listWebhookDeliveries: {
        parameters: {
            query?: {
                /** @description The maximum number of items */
                limit?: number;
                /** @description The `next_cursor` of the previous page */
                cursor?: string;
                /** @description One status, or several separated by commas */
                status?: string;
                /** @description Only deliveries that ended without success: dead and cancelled */
                undelivered?: boolean;
                event_type?: string;
                event_id?: string;
                /** @description Only events dispatched at this instant or later */
                from?: string;
                /** @description Only events dispatched before this instant */
                to?: string;
            };
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["Delivery"][];
                        pagination: components["schemas"]["Pagination"];
                        total: number | null;
                    };
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryWithAttempts"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    retryDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The id is taken, or the state does not allow the call */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 409,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ConflictError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    cancelDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The id is taken, or the state does not allow the call */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 409,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ConflictError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    explainEvent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                event_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The explanation */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Explanation"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: {
                /** @description Only events dispatched at this instant or later */
                from?: string;
                /** @description Only events dispatched before this instant */
                to?: string;
                /** @description The number of intervals that the time is divided into; default 24 */
                buckets?: number;
                webhook_id?: string;
                event_type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    createReplay: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReplayInput"];
            };
        };
        responses: {
            /** @description The count of a dry run */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"];
                };
            };
            /** @description The replay, which is running */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Replay"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getReplay: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                replay_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The replay */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Replay"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    cancelReplay: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                replay_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is cancelled */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listApiKeys: {
        parameters: {
            query?: {
                /** @description The maximum number of items */
                limit?: number;
                /** @description The `next_cursor` of the previous page */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of keys */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["ApiKey"][];
                        pagination: components["schemas"]["Pagination"];
                        total: number | null;
                    };
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    createApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApiKeyInput"];
            };
        };
        responses: {
            /** @description The key */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedApiKey"];
                };
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    revokeApiKey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                key_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is malformed: a body that is not JSON, or an invalid header */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 400,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "BadRequestError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The credentials lack a scope */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 403,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ForbiddenError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description It does not exist, or belongs to another tenant */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 404,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "NotFoundError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 413,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "PayloadTooLargeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The body is not `application/json` in UTF-8, or has a content encoding */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 415,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnsupportedMediaTypeError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    listEventTypes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All event types; empty if there is no catalog */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: components["schemas"]["EventType"][];
                    };
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description They do */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "ok";
                    };
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The storage does not answer */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 503,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "ServiceUnavailableError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Credentials are missing, malformed, unknown, revoked or expired */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 401,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "UnauthorizedError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description The request is not valid; `detail` says where */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "detail": [
                     *         {
                     *           "loc": [
                     *             "body",
                     *             "event_types",
                     *             0
                     *           ],
                     *           "msg": "is required",
                     *           "type": "missing"
                     *         }
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["ValidationError"];
                };
            };
            /** @description Too many calls; `Retry-After` says how many seconds to wait */
            429: {
                headers: {
                    /** @description Seconds */
                    "Retry-After"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 429,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "TooManyRequestsError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
            /** @description Internal error; `request_id` identifies it */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "success": false,
                     *       "status": 500,
                     *       "error": {
                     *         "message": "…",
                     *         "type": "InternalServerError",
                     *         "details": {}
                     *       }
                     *     }
                     */
                    "application/json": components["schemas"]["Error"];
                };
            };
        };
    };
}

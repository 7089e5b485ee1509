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
         * @description By `offset`, or by the `next_cursor` of the page before: that is as fast on every page. Needs `webhooks:read`.
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
         * @description By its id, or by its name: the newest of that name. Needs `webhooks:read`.
         */
        get: operations["getWebhook"];
        /**
         * Replace name, event types, channels and activity of a webhook
         * @description What is pending follows the new channels. A secret that is sent as `***` stays what it is. Needs `webhooks:write`.
         */
        put: operations["replaceWebhook"];
        post?: never;
        /**
         * Delete a webhook
         * @description Cancels what is pending for it. Deleting what is gone already is no error. Needs `webhooks:write`.
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
         * Read the secret that signs now
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
         * Put a new secret in the place of the present one
         * @description The present one signs beside it until the overlap is over, so that receivers can change over. Needs `webhooks:write` and `secrets:read`.
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
         * Send a sample to each channel of a webhook, at once
         * @description Not stored, not retried; also while the webhook is paused. Limited to a few calls a second. Needs `webhooks:write`.
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
         * Show what a sample would look like at each channel of a webhook
         * @description Nothing is sent, and nothing secret is in it. Needs `webhooks:read`.
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
         * @description Once it is answered, each channel of each webhook that matches gets attempts until one succeeds or none is left. Needs `events:write`.
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
         * Start a delivery again
         * @description Due at once, with a whole retry schedule. 409 while it is being sent, or its webhook is gone. Needs `deliveries:write`.
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
         * End a delivery
         * @description A request that is under way may still arrive. 409 where it has ended already. Needs `deliveries:write`.
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
         * Say what became of an event, and why
         * @description Each webhook that matched, with its deliveries and what happens next; and those that nearly did, and why not. Needs `deliveries:read`.
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
         * @description Of the last 24 hours, unless `from` and `to` say otherwise. Needs `deliveries:read`.
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
         * Start many deliveries again
         * @description Those that fit all that is given, newest first, so many a second. `pending` sends now what waits for a later attempt. `missed` makes deliveries instead, oldest first: those that active webhooks would have of stored events and do not, because they were switched off, or not there yet. `dry_run` counts, and starts none. Needs `deliveries:write`.
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
         * Say how far a replay is
         * @description Needs `deliveries:read`.
         */
        get: operations["getReplay"];
        put?: never;
        post?: never;
        /**
         * End a replay
         * @description What was started again stays so. Needs `deliveries:write`.
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
         * @description The key is in this answer and in no other. It can have the scopes that these credentials have, and lives no longer. Needs `keys:write`.
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
         * @description It opens nothing any more, in any process, within a second. Any key of the tenant can be revoked. Needs `keys:write`.
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
        /** List the catalog: what may be dispatched, with schemas and examples */
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
        /** Say whether the API and its storage answer */
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
                    /** @description As Standard Webhooks has it */
                    "webhook-id": string;
                    /** @description As Standard Webhooks has it */
                    "webhook-timestamp": string;
                    /** @description As Standard Webhooks has it */
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
                /** @description Gone: nothing is sent here any more */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Received: it is not sent again */
                "2XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Sent again later */
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
             * @description Event types, or patterns: `order.*` covers `order.placed`, `*` everything
             * @example [
             *       "order.*"
             *     ]
             */
            event_types: string[];
            /** @description Default true; false pauses */
            is_active?: boolean | null;
            /** @description Accepted, and ignored */
            internal_id?: unknown;
            /** @description Accepted, and ignored */
            created_at?: unknown;
            /** @description Accepted, and ignored */
            updated_at?: unknown;
            /** @description An event goes to all of them */
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
             * @description What the channel needs; unknown fields are refused. `***` keeps a stored secret
             * @example {
             *       "url": "https://example.com/hooks"
             *     }
             */
            configs: {
                [key: string]: unknown;
            };
            /** @description Begins only where that channel has failed so many times, or for good */
            only_after?: {
                channel: string;
                failed_attempts: number;
            } | null;
            /** @description Gathers events for so long, and sends them as one message */
            digest?: {
                /** @description Seconds, or text like `10m`; from a second to 7 days */
                window: number | string;
                /** @description Default 100 */
                max_events?: number | null;
                /** @description Of all payloads together; default 524288 */
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
            /** @description Secrets in it read `***` */
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
            /** @description Those that an event of this type goes to; of a pattern, those that hold it */
            event_type?: string | null;
            is_active?: boolean | null;
        };
        /** @description Null is what does not apply */
        Pagination: {
            total: number | null;
            page: number | null;
            page_size: number;
            total_pages: number | null;
            next_page: number | null;
            previous_page: number | null;
            /** @description Sent as `cursor`, gives the next page */
            next_cursor: string | null;
        };
        WebhookReplacement: {
            /** @description Where it is sent, that of the path */
            webhook_id?: string | null;
            /**
             * @description For people; need not be unique
             * @example Orders for Acme
             */
            webhook_name: string;
            /**
             * @description Event types, or patterns: `order.*` covers `order.placed`, `*` everything
             * @example [
             *       "order.*"
             *     ]
             */
            event_types: string[];
            /** @description Default true; false pauses */
            is_active?: boolean | null;
            /** @description Accepted, and ignored */
            internal_id?: unknown;
            /** @description Accepted, and ignored */
            created_at?: unknown;
            /** @description Accepted, and ignored */
            updated_at?: unknown;
            /** @description An event goes to all of them */
            channels: components["schemas"]["ChannelReplacement"][];
        };
        ChannelReplacement: {
            /** @description Which of the webhook’s channels this is, as deliveries name it; without it, by its place */
            id?: string | null;
            /**
             * @example webhook
             * @example slack
             * @example email
             * @example sms
             */
            channel: string;
            /**
             * @description What the channel needs; unknown fields are refused. `***` keeps a stored secret
             * @example {
             *       "url": "https://example.com/hooks"
             *     }
             */
            configs: {
                [key: string]: unknown;
            };
            /** @description Begins only where that channel has failed so many times, or for good */
            only_after?: {
                channel: string;
                failed_attempts: number;
            } | null;
            /** @description Gathers events for so long, and sends them as one message */
            digest?: {
                /** @description Seconds, or text like `10m`; from a second to 7 days */
                window: number | string;
                /** @description Default 100 */
                max_events?: number | null;
                /** @description Of all payloads together; default 524288 */
                max_bytes?: number | null;
            } | null;
        };
        Secret: {
            /** @description `whsec_…` or `whsk_…`: give it to whoever verifies */
            secret: string;
        };
        Rotation: {
            /** @description The new one; made where it is left out */
            secret?: string | null;
            /** @description `v1` (HMAC, default) or `v1a` (ed25519); where `secret` is sent, that of it */
            kind?: ("v1" | "v1a") | null;
            /** @description For how many seconds the present one goes on signing; default a day */
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
            /** @description Null where it cannot be rendered, or there is nothing to show */
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
             * @description The payload, any JSON: delivered byte for byte as it stands here
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
            /** @description Events of one key reach a channel in their order */
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
            /** @description Which of the webhook’s channels */
            channel_id: string;
            channel: string;
            /** @enum {string} */
            status: "pending" | "sending" | "delivered" | "dead" | "cancelled";
            /** @description How many attempts were begun */
            attempt_count: number;
            /** @description Null where it is not pending */
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
            /** @description Which of the webhook’s channels */
            channel_id: string;
            channel: string;
            /** @enum {string} */
            status: "pending" | "sending" | "delivered" | "dead" | "cancelled";
            /** @description How many attempts were begun */
            attempt_count: number;
            /** @description Null where it is not pending */
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
            /** @description The receiver’s */
            status_code: number | null;
            /** @description How the receiver’s answer began */
            response: string | null;
        };
        Explanation: {
            event: components["schemas"]["Event"];
            matched: components["schemas"]["MatchedWebhook"][];
            missed: components["schemas"]["MissedWebhook"][];
            /** @description False where there were more than it looks at */
            is_complete: boolean;
        };
        MatchedWebhook: {
            /** @description Null where it is deleted */
            webhook: {
                webhook_id: string;
                webhook_name: string;
                is_active: boolean;
            } | null;
            /** @description Those that cover the event type now */
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
            /** @description When, of an attempt */
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
        /** @description How many deliveries stand where by now */
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
            /** @description Needs `from`, and takes no `status` */
            missed?: boolean | null;
            event_type?: string | null;
            webhook_id?: string | null;
            /** @description Of events dispatched at this instant or later */
            from?: string | null;
            /** @description Of events dispatched before it; default now */
            to?: string | null;
            /** @description At most; default 100 */
            per_second?: number | null;
            dry_run?: boolean | null;
        };
        Replay: {
            replay_id: string;
            /** @enum {string} */
            status: "running" | "done" | "cancelled";
            filter: {
                status: ("dead" | "cancelled" | "delivered" | "pending")[];
                /** @description Whether it makes what webhooks missed; then `status` is empty */
                missed: boolean;
                event_type: string | null;
                webhook_id: string | null;
                from: string | null;
                /** Format: date-time */
                to: string;
            };
            per_second: number;
            /** @description How many deliveries were started again, or made, so far */
            replayed: number;
            /** @description How many could not be: being sent, without their webhook, or gathering for a digest */
            skipped: number;
            /** Format: date-time */
            created_at: string;
            finished_at: string | null;
        };
        DryRun: {
            /** @constant */
            dry_run: true;
            /** @description How many deliveries fit now */
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
            /** @description The key begins with its characters */
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
            /** @description The key itself, shown this once */
            key: string;
        };
        ApiKey: {
            /** @description The key begins with its characters */
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
            /** @description `evt_…`: the same for each attempt, to tell duplicates by */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                    /** @description Its version; sent as `If-Match`, guards against changes in between */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description It is taken, or its state does not allow the call */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description How many at most */
                limit?: number;
                /** @description How many to pass over */
                offset?: number;
                /** @description The `next_cursor` of the page before */
                cursor?: string;
                /** @description Says `total` and `total_pages` in `pagination`, too */
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
                        /** @description How many there are on all pages */
                        total: number;
                    };
                };
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                    /** @description Its version; sent as `If-Match`, guards against changes in between */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description The `ETag` of the version that is to be changed; 412 where it is another by now */
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
                    /** @description Its version; sent as `If-Match`, guards against changes in between */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description It has changed since: the `If-Match` is of another version */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description The `ETag` of the version that is to be changed; 412 where it is another by now */
                "If-Match"?: string;
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description It has changed since: the `If-Match` is of another version */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description It is taken, or its state does not allow the call */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description What became of it at each channel */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description How many at most */
                limit?: number;
                /** @description The `next_cursor` of the page before */
                cursor?: string;
                event_type?: string;
                /** @description Of events dispatched at this instant or later */
                from?: string;
                /** @description Of events dispatched before this instant */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description Makes it safe to send the same event again: the first answer comes again. With another event it is 409 */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description It is taken, or its state does not allow the call */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description How many at most */
                limit?: number;
                /** @description The `next_cursor` of the page before */
                cursor?: string;
                /** @description One status, or several joined by commas */
                status?: string;
                /** @description Those that ended without success: dead and cancelled */
                undelivered?: boolean;
                event_type?: string;
                event_id?: string;
                /** @description Of events dispatched at this instant or later */
                from?: string;
                /** @description Of events dispatched before this instant */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description How many at most */
                limit?: number;
                /** @description The `next_cursor` of the page before */
                cursor?: string;
                /** @description One status, or several joined by commas */
                status?: string;
                /** @description Those that ended without success: dead and cancelled */
                undelivered?: boolean;
                event_type?: string;
                event_id?: string;
                /** @description Of events dispatched at this instant or later */
                from?: string;
                /** @description Of events dispatched before this instant */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description It is taken, or its state does not allow the call */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description It is taken, or its state does not allow the call */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description Of events dispatched at this instant or later */
                from?: string;
                /** @description Of events dispatched before this instant */
                to?: string;
                /** @description Into how many stretches the time is divided; default 24 */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description Of a dry run, how many there are */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"];
                };
            };
            /** @description The replay, which is under way */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Replay"];
                };
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description It has ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
                /** @description How many at most */
                limit?: number;
                /** @description The `next_cursor` of the page before */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request cannot be read: no JSON, or a header that is none */
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
            /** @description There is none, or it is another tenant’s */
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
            /** @description The body is no `application/json` in UTF-8, or is encoded */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description All event types; none where anything may be dispatched */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request is not valid, and where */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
            /** @description The request is not valid, and where */
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
            /** @description Too many calls; `Retry-After` says for how many seconds to wait */
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
            /** @description Something failed on the server’s side; `request_id` names it */
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
